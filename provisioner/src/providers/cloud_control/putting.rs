//! What resources over Cloud Control put into lists of others.

use serde_json::json;

use crate::engine::{Put, Resource};
use crate::providers::fields::Fields;
use crate::providers::policy_holders::Holder;

/// Inline policies on their own: the type, the type and the property of what they are put into.
const PUT_INTO: [(&str, &str, &str); 3] = [
    ("AWS::IAM::GroupPolicy", "AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::RolePolicy", "AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::UserPolicy", "AWS::IAM::User", "UserName"),
];

/// An inline policy into its user, and a user into the managed policies that it names.
pub(super) fn puts(resource: &Resource) -> Vec<Put> {
    let into = PUT_INTO.iter().filter(|(type_name, ..)| *type_name == resource.type_name);
    let put = |&(_, type_name, property): &(&str, &'static str, &str)| {
        let fields = Fields(&resource.properties);
        let (physical_id, name) = (fields.text(property)?, fields.text("PolicyName")?);
        Some(Put { type_name, physical_id, property: "Policies", item: json!({"PolicyName": name}) })
    };
    let holders = Holder::ALL.into_iter().filter(|holder| holder.type_name() == resource.type_name);
    into.filter_map(put).chain(holders.flat_map(|holder| holder.puts(resource))).collect()
}
