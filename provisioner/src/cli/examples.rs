//! What stands below a command's flags in its `--help`: lines as people type them.

pub(super) const INIT: &str = "\
Examples:
  provision init                                    asks for everything
  provision init --stack films --region eu-west-1   asks for nothing that is given
  TMDB_API_KEY=... provision init --stack films     also stores the key, in SSM, never in the file";
pub(super) const SECRET: &str = "\
Examples:
  provision secret set                  asks, without echo
  pass show tmdb | provision secret set
  provision secret check";
pub(super) const PACKAGE: &str = "\
Examples:
  provision package                     writes target/lambda/crawler.zip, shows size and SHA-256
  provision package --json";
pub(super) const PLAN: &str = "\
Examples:
  provision plan
  provision plan --exit-code --quiet    in CI: exit code 3 when the stack has drifted
  provision plan --param FunctionTimeout=300";
pub(super) const UP: &str = "\
Examples:
  provision up
  provision up --stack films --param MaximumConcurrency=20
  provision up --template templates/examples/queue-worker.yaml
  provision up --yes                    where nobody can answer: in CI";
pub(super) const DOWN: &str = "\
Examples:
  provision down                        asks; keeps the lake
  provision down --yes --delete-data    removes the lake as well";
pub(super) const STATUS: &str = "\
Examples:
  provision status
  provision status --json | jq .queue";
pub(super) const LAUNCH: &str = "\
Examples:
  provision launch --years 2000..2020
  provision launch --years 2004,none --initials TH,A_ --dry-run
  provision launch --titles-source title.basics.tsv.gz
  provision launch --title-types movie,tvMovie --adult out --new-index
  provision launch --failed
  provision launch --refresh older-than=30d
  provision launch --refresh changed    what changed in the last fortnight, a few requests";
pub(super) const SIMULATE: &str = "\
Examples:
  provision simulate                    2004/AD
  provision simulate --year 1999 --initial TH";
pub(super) const PAUSE: &str = "\
Examples:
  provision pause
  provision pause --reason \"TMDb asked us to wait until Monday\"";
pub(super) const RESUME: &str = "\
Examples:
  provision resume
  provision secret set && provision resume   after a refused key";
pub(super) const DEAD_LETTERS: &str = "\
Examples:
  provision dead-letters
  provision dead-letters --json | jq -r '.dead_letters[].reason' | sort | uniq -c";
pub(super) const REDRIVE: &str = "\
Examples:
  provision redrive
  provision redrive --years 2017 --initials TH";
pub(super) const DOWNLOAD: &str = "\
Examples:
  provision download --year 1999 --initial TH --lake ./lake
  provision download --all --lake s3://my-lake
  provision download --all --years 2000..2020
  provision download --all --failed     asks again for the films that had no usable answer";
pub(super) const COMPACT: &str = "\
Examples:
  provision compact                     the stack's lake
  provision compact --lake ./lake --format parquet";
pub(super) const VERIFY: &str = "\
Examples:
  provision verify                      the stack's lake
  provision verify --lake ./lake --older-than 30d
  provision verify --json | jq '.partitions[] | select(.not_done > 0)'";
pub(super) const RUN: &str = "\
Examples:
  provision run --years 2000..2020 --yes
  provision run --keep-up";
pub(super) const POLICY: &str = "\
Examples:
  provision policy > policy.json
  provision policy --for plan,status    for who may look and change nothing
  provision policy --for down --delete-data";
pub(super) const DOCTOR: &str = "\
Examples:
  provision doctor                      exit code 3 when something is wrong
  provision doctor --json";
pub(super) const EXPLAIN: &str = "\
Examples:
  provision explain                     the list
  provision explain E35
  provision explain QueueDeletedRecently
  provision explain AWS::SQS::Queue     its properties: what a change does, what leaving it out means";
