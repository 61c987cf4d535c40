//! Types that hold what a replacement would lose: databases, file systems, keys. Whether one is empty is not asked.

use serde_json::Value;

const HOLD_DATA: [&str; 21] = [
    "AWS::Backup::BackupVault",
    "AWS::Cassandra::Table",
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::FSx::FileSystem",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::MemoryDB::Cluster",
    "AWS::Neptune::DBCluster",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::SecretsManager::Secret",
    "AWS::Timestream::Table",
];

/// Whether a resource with these properties holds data. What belongs to a cluster leaves it to that.
pub(super) fn holds_data(type_name: &str, properties: &Value) -> bool {
    let in_cluster = properties.get("DBClusterIdentifier").is_some() && type_name.ends_with("::DBInstance");
    HOLD_DATA.contains(&type_name) && !in_cluster
}

/// What AWS keeps of what is deleted. RDS makes a last snapshot unless it is told not to, and Cloud Control cannot tell it.
pub(super) fn leaves(type_name: &str, properties: &Value) -> Option<&'static str> {
    let makes = ["AWS::RDS::DBCluster", "AWS::RDS::DBInstance"].contains(&type_name);
    (makes && holds_data(type_name, properties))
        .then_some("RDS makes a final snapshot, but of a read replica; it stays and is billed")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_database_holds_data_and_an_instance_of_a_cluster_none_of_its_own() {
        let alone = json!({"DBInstanceIdentifier": "a"});
        let member = json!({"DBInstanceIdentifier": "a", "DBClusterIdentifier": "c"});
        let holds = |type_name: &str| [&alone, &member].map(|properties| holds_data(type_name, properties));
        assert_eq!(holds("AWS::RDS::DBInstance"), [true, false]);
        assert_eq!(holds("AWS::RDS::DBCluster"), [true, true]);
        assert_eq!(holds("AWS::SNS::Topic"), [false, false]);
        let leaves = |type_name: &str| [&alone, &member].map(|properties| leaves(type_name, properties).is_some());
        assert_eq!(leaves("AWS::RDS::DBInstance"), [true, false]);
        assert_eq!(leaves("AWS::DynamoDB::Table"), [false, false]);
    }
}
