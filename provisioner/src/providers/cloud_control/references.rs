//! What `Ref` gives of types that are older than CloudFormation's registry.

/// Types whose `Ref` is not their primary identifier but this property: they are older than CloudFormation's registry. Source: the return
/// values in CloudFormation's resource reference.
const REFS: [(&str, &str); 37] = [
    ("AWS::ApiGateway::Authorizer", "AuthorizerId"),
    ("AWS::ApiGateway::Deployment", "DeploymentId"),
    ("AWS::ApiGateway::DocumentationPart", "DocumentationPartId"),
    ("AWS::ApiGateway::DocumentationVersion", "DocumentationVersion"),
    ("AWS::ApiGateway::Model", "Name"),
    ("AWS::ApiGateway::RequestValidator", "RequestValidatorId"),
    ("AWS::ApiGateway::Resource", "ResourceId"),
    ("AWS::ApiGateway::Stage", "StageName"),
    ("AWS::ApiGatewayV2::Authorizer", "AuthorizerId"),
    ("AWS::ApiGatewayV2::Deployment", "DeploymentId"),
    ("AWS::ApiGatewayV2::Integration", "IntegrationId"),
    ("AWS::ApiGatewayV2::IntegrationResponse", "IntegrationResponseId"),
    ("AWS::ApiGatewayV2::Model", "ModelId"),
    ("AWS::ApiGatewayV2::Route", "RouteId"),
    ("AWS::ApiGatewayV2::RouteResponse", "RouteResponseId"),
    ("AWS::AppConfig::ConfigurationProfile", "ConfigurationProfileId"),
    ("AWS::AppConfig::Deployment", "DeploymentNumber"),
    ("AWS::AppConfig::Environment", "EnvironmentId"),
    ("AWS::AppConfig::HostedConfigurationVersion", "VersionNumber"),
    ("AWS::AutoScaling::LifecycleHook", "LifecycleHookName"),
    ("AWS::Batch::JobDefinition", "JobDefinitionArn"),
    ("AWS::CodeDeploy::DeploymentGroup", "DeploymentGroupName"),
    ("AWS::Cognito::UserPoolClient", "ClientId"),
    ("AWS::Cognito::UserPoolDomain", "Domain"),
    ("AWS::Cognito::UserPoolGroup", "GroupName"),
    ("AWS::Cognito::UserPoolIdentityProvider", "ProviderName"),
    ("AWS::Cognito::UserPoolResourceServer", "Identifier"),
    ("AWS::Cognito::UserPoolUser", "Username"),
    ("AWS::EC2::EIP", "PublicIp"),
    ("AWS::ECS::Service", "ServiceArn"),
    ("AWS::Events::Rule", "Name"),
    ("AWS::GuardDuty::Filter", "Name"),
    ("AWS::GuardDuty::IPSet", "Id"),
    ("AWS::GuardDuty::ThreatIntelSet", "Id"),
    ("AWS::Logs::LogStream", "LogStreamName"),
    ("AWS::Logs::MetricFilter", "FilterName"),
    ("AWS::Logs::SubscriptionFilter", "FilterName"),
];

/// The property that `Ref` gives, where that is not the primary identifier.
pub(super) fn reference_property(type_name: &str) -> Option<&'static str> {
    REFS.iter().find(|(name, _)| *name == type_name).map(|(_, property)| *property)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_its_name_and_a_topic_its_identifier() {
        assert_eq!(reference_property("AWS::Events::Rule"), Some("Name"));
        assert_eq!(reference_property("AWS::SNS::Topic"), None);
    }
}
