//! Parquet: typed columns of what is asked for most, and each record whole as JSON text.
//!
//! A value that is not of its column's type, such as TMDb's blank dates, is NULL there; what it was stands in `object`.

use std::{io, sync::Arc};

use bytes::Bytes;
use jiff::{Timestamp, civil::Date};
use parquet::{
    basic::Compression,
    column::writer::ColumnWriter,
    data_type::ByteArray,
    file::{
        properties::WriterProperties,
        reader::{FileReader as _, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    record::{Field, Row},
    schema::parser::parse_message_type,
};
use serde_json::Value;

use super::{Kind, Part};

/// A row group is closed when its records have this many bytes as text.
const GROUP: usize = 32 << 20;

/// The column that has each record whole.
const WHOLE: &str = "object";

/// A column's name, its type, and where its value stands in the object; the whole object where that is empty.
type Column = (&'static str, Type, &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Whole,
    Number,
    Truth,
    Text,
    Day,
    Time,
}

impl Type {
    /// As Parquet's message format writes it, around the name.
    fn declared(self, name: &str) -> String {
        match self {
            Self::Whole => format!("OPTIONAL INT64 {name};"),
            Self::Number => format!("OPTIONAL DOUBLE {name};"),
            Self::Truth => format!("OPTIONAL BOOLEAN {name};"),
            Self::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
            Self::Day => format!("OPTIONAL INT32 {name} (DATE);"),
            Self::Time => format!("OPTIONAL INT64 {name} (TIMESTAMP(MILLIS,true));"),
        }
    }
}

/// The columns of a kind.
fn columns(kind: Kind) -> &'static [Column] {
    use Type::{Day, Number, Text, Time, Truth, Whole};
    match kind {
        Kind::Movies => &[
            ("id", Whole, "/id"),
            ("id_imdb", Text, "/id_imdb"),
            ("title", Text, "/title"),
            ("original_title", Text, "/original_title"),
            ("original_language", Text, "/original_language"),
            ("overview", Text, "/overview"),
            ("release_date", Day, "/release_date"),
            ("adult", Truth, "/adult"),
            ("video", Truth, "/video"),
            ("popularity", Number, "/popularity"),
            ("vote_average", Number, "/vote_average"),
            ("vote_count", Whole, "/vote_count"),
            ("total_reviews", Whole, "/total_reviews"),
            ("initial", Text, "/initial"),
            ("fetched_on", Day, "/fetched_on"),
            (WHOLE, Text, ""),
        ],
        Kind::Reviews => &[
            ("id", Text, "/id"),
            ("movie_id", Whole, "/movie_id"),
            ("id_imdb", Text, "/id_imdb"),
            ("author", Text, "/author"),
            ("username", Text, "/author_details/username"),
            ("rating", Number, "/author_details/rating"),
            ("content", Text, "/content"),
            ("url", Text, "/url"),
            ("created_at", Time, "/created_at"),
            ("updated_at", Time, "/updated_at"),
            ("initial", Text, "/initial"),
            ("fetched_on", Day, "/fetched_on"),
            (WHOLE, Text, ""),
        ],
        Kind::Misses => &[
            ("id_imdb", Text, "/id_imdb"),
            ("initial", Text, "/initial"),
            ("fetched_on", Day, "/fetched_on"),
            (WHOLE, Text, ""),
        ],
        Kind::Others => &[
            ("id", Whole, "/id"),
            ("kind", Text, "/kind"),
            ("id_imdb", Text, "/id_imdb"),
            ("initial", Text, "/initial"),
            ("fetched_on", Day, "/fetched_on"),
            (WHOLE, Text, ""),
        ],
        Kind::Failed => &[
            ("id_imdb", Text, "/id_imdb"),
            ("initial", Text, "/initial"),
            ("status", Whole, "/status"),
            ("reason", Text, "/reason"),
            ("fetched_on", Day, "/fetched_on"),
            (WHOLE, Text, ""),
        ],
    }
}

/// A file of one kind; holds the text of one row group.
pub(super) struct Table {
    columns: &'static [Column],
    writer: SerializedFileWriter<Vec<u8>>,
    lines: Vec<String>,
    /// Bytes of these lines.
    waiting: usize,
}

impl Table {
    pub fn new(kind: Kind) -> io::Result<Self> {
        let columns = columns(kind);
        let declared: String = columns.iter().map(|(name, of, _)| of.declared(name)).collect();
        let schema = parse_message_type(&format!("message {} {{ {declared} }}", kind.folder()))?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        Ok(Self { columns, writer, lines: Vec::new(), waiting: 0 })
    }

    /// Writes what waits as a row group.
    fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let objects: Vec<Value> = self.lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
        let mut group = self.writer.next_row_group()?;
        for (_, of, place) in self.columns {
            let Some(mut column) = group.next_column()? else {
                return Err(io::Error::other("the file has fewer columns than its schema"));
            };
            if place.is_empty() {
                let texts = self.lines.iter().map(|line| Some(ByteArray::from(line.as_str())));
                write(column.untyped(), Values::texts(texts))?;
            } else {
                let values = objects.iter().map(|object| object.pointer(place).unwrap_or(&Value::Null));
                write(column.untyped(), Values::of(*of, values))?;
            }
            column.close()?;
        }
        group.close()?;
        self.lines.clear();
        self.waiting = 0;
        Ok(())
    }
}

impl Part for Table {
    fn add(&mut self, line: &str) -> io::Result<()> {
        self.waiting += line.len();
        self.lines.push(line.to_owned());
        if self.waiting >= GROUP { self.flush() } else { Ok(()) }
    }

    fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.waiting / 2
    }

    fn finish(mut self: Box<Self>) -> io::Result<Vec<u8>> {
        self.flush()?;
        Ok(self.writer.into_inner()?)
    }
}

/// A column's values, and for each row whether it has one.
enum Values {
    Whole(Vec<i64>, Vec<i16>),
    Number(Vec<f64>, Vec<i16>),
    Truth(Vec<bool>, Vec<i16>),
    Text(Vec<ByteArray>, Vec<i16>),
    Day(Vec<i32>, Vec<i16>),
}

impl Values {
    fn of<'v>(of: Type, values: impl Iterator<Item = &'v Value>) -> Self {
        match of {
            Type::Whole => split(values.map(Value::as_i64), Self::Whole),
            Type::Number => split(values.map(Value::as_f64), Self::Number),
            Type::Truth => split(values.map(Value::as_bool), Self::Truth),
            Type::Text => Self::texts(values.map(|value| value.as_str().map(ByteArray::from))),
            Type::Day => split(values.map(day), Self::Day),
            Type::Time => split(values.map(time), Self::Whole),
        }
    }

    fn texts(texts: impl Iterator<Item = Option<ByteArray>>) -> Self {
        split(texts, Self::Text)
    }
}

/// The values that are there, and for each row 1 where there is one.
fn split<T>(values: impl Iterator<Item = Option<T>>, of: impl Fn(Vec<T>, Vec<i16>) -> Values) -> Values {
    let (mut there, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    of(there, levels)
}

/// Days since 1970.
fn day(value: &Value) -> Option<i32> {
    let day: Date = value.as_str()?.parse().ok()?;
    let since = Date::constant(1970, 1, 1).until(day).ok()?;
    Some(since.get_days())
}

/// Milliseconds since 1970.
fn time(value: &Value) -> Option<i64> {
    let time: Timestamp = value.as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}

fn write(column: &mut ColumnWriter<'_>, values: Values) -> io::Result<()> {
    match (column, values) {
        (ColumnWriter::Int64ColumnWriter(writer), Values::Whole(there, levels)) => {
            writer.write_batch(&there, Some(&levels), None)?;
        }
        (ColumnWriter::DoubleColumnWriter(writer), Values::Number(there, levels)) => {
            writer.write_batch(&there, Some(&levels), None)?;
        }
        (ColumnWriter::BoolColumnWriter(writer), Values::Truth(there, levels)) => {
            writer.write_batch(&there, Some(&levels), None)?;
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(there, levels)) => {
            writer.write_batch(&there, Some(&levels), None)?;
        }
        (ColumnWriter::Int32ColumnWriter(writer), Values::Day(there, levels)) => {
            writer.write_batch(&there, Some(&levels), None)?;
        }
        _ => return Err(io::Error::other("a column is of another type than its schema says")),
    }
    Ok(())
}

/// Tells the text of each record of a file. All columns are read, so that one that is damaged is found.
pub(super) fn read(file: Bytes, each: &mut dyn FnMut(&str)) -> io::Result<()> {
    for row in SerializedFileReader::new(file)?.get_row_iter(None)? {
        match whole(&row?) {
            Some(text) => each(text),
            None => return Err(io::Error::other(format!("a record has no text in the column {WHOLE}"))),
        }
    }
    Ok(())
}

fn whole(row: &Row) -> Option<&str> {
    row.get_column_iter().find_map(|(name, field)| match field {
        Field::Str(text) if name == WHOLE => Some(text.as_str()),
        _ => None,
    })
}
