//! A provider on the emulator: one emulator a test binary, names of their own for each test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use provisioner::engine::{
    DeleteOptions, Difference, Observed, Progress, Provider, ProviderError, Providers, Resource, Scope, diff,
};
use provisioner::providers::{self, Artifact, Artifacts, OtherTypes};
use serde_json::Value;
use sha2::Digest;
use testkit::Emulator;

static EMULATOR: OnceLock<Emulator> = OnceLock::new();

/// The emulator's address.
pub fn endpoint() -> String {
    EMULATOR.get_or_init(|| Emulator::start().expect("the emulator starts")).endpoint()
}

/// The configuration that calls `endpoint` in a region.
pub async fn config(endpoint: &str, region: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .load()
        .await
}

/// Takes the "path" of a code for the code itself: a zip of one file with that text.
struct TextAsCode;

#[async_trait]
impl Artifacts for TextAsCode {
    async fn zip(&self, text: &str, _properties: &Value, _metadata: &Value) -> Result<Artifact, ProviderError> {
        use base64::Engine;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("bootstrap", zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
        let bytes = bytes::Bytes::from(zip.finish().unwrap().into_inner());
        let sha256_base64 = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(&bytes));
        Ok(Artifact { path: text.to_owned(), bytes, sha256_base64 })
    }
}

/// One stack's providers.
pub struct Stage {
    pub scope: Scope,
    pub config: SdkConfig,
    providers: Providers,
}

impl Stage {
    /// A stack of this name on the emulator.
    pub async fn new(stack: &str) -> Self {
        Self::at(stack, &endpoint()).await
    }

    /// A stack of this name at an address.
    pub async fn at(stack: &str, endpoint: &str) -> Self {
        Self::in_region(stack, endpoint, "us-east-1").await
    }

    /// The same in another region.
    pub async fn in_region(stack: &str, endpoint: &str, region: &str) -> Self {
        let config = config(endpoint, region).await;
        let scope = Scope {
            stack: stack.into(),
            account: "000000000000".into(),
            region: region.into(),
            partition: "aws".into(),
        };
        Self { scope, providers: providers::all(&config, Arc::new(TextAsCode)), config }
    }

    /// The same with types that have no provider of their own.
    pub async fn with_types(mut self, types: &[&str]) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let found = OtherTypes::look_up(&self.config, cache.path(), types.iter().copied(), &[]).await.unwrap();
        assert!(found.refused.is_empty(), "{:?}", found.refused);
        self.providers =
            self.providers.with(found.providers).with_left_behind(found.left_behind).with_keeping(found.keeping);
        self
    }

    pub fn providers(&self) -> Providers {
        self.providers.clone()
    }

    pub fn provider(&self, type_name: &str) -> &dyn Provider {
        self.providers.get(type_name).expect("the type has a provider").as_ref()
    }

    /// A resource as the engine would make it, prepared.
    pub async fn resource(&self, type_name: &str, logical_id: &str, properties: Value) -> Resource {
        let provider = self.provider(type_name);
        let physical_id = provider.physical_id(logical_id, &properties, &self.scope).unwrap();
        let mut resource = Resource {
            logical_id: logical_id.into(),
            type_name: type_name.into(),
            attributes: provider.attributes(&physical_id, &properties, &self.scope),
            physical_id,
            properties,
            after_apply: BTreeMap::new(),
            secret: Default::default(),
            tags: self.scope.ownership_tags(logical_id, "Delete"),
            metadata: Value::Null,
            depends_on: vec![],
            waits_for: vec![],
            retain: false,
            retain_on_replace: false,
        };
        provider.prepare(&mut resource).await.unwrap();
        resource
    }

    pub async fn read(&self, resource: &Resource) -> Option<Observed> {
        self.provider(&resource.type_name).read(resource).await.unwrap()
    }

    pub async fn create(&self, resource: &Resource) -> Observed {
        self.provider(&resource.type_name).create(resource, &silent()).await.unwrap()
    }

    /// What differs now between the template and AWS.
    pub async fn differences(&self, resource: &Resource) -> Vec<Difference> {
        let observed = self.read(resource).await.expect("it exists");
        diff(resource, &observed, self.provider(&resource.type_name).schema())
    }

    /// The paths of what differs now.
    pub async fn paths(&self, resource: &Resource) -> Vec<String> {
        self.differences(resource).await.into_iter().map(|difference| difference.path).collect()
    }

    /// Brings it to what the resource says.
    pub async fn update(&self, resource: &Resource) -> Observed {
        let observed = self.read(resource).await.expect("it exists");
        let provider = self.provider(&resource.type_name);
        let differences = diff(resource, &observed, provider.schema());
        provider.update(resource, &observed, &differences, &silent()).await.unwrap()
    }

    pub async fn delete(&self, observed: &Observed) {
        let (provider, options) = (self.provider(&observed.type_name), DeleteOptions { empty: true, no_wait: false });
        provider.delete(observed, options, &silent()).await.unwrap();
        provider.gone(observed, options, &silent()).await.unwrap();
    }

    /// What the listing by tags finds of this stack.
    pub async fn found(&self, type_name: &str) -> Vec<String> {
        let (provider, nothing_named) = (self.provider(type_name), BTreeSet::new());
        let found = match provider.schema().parent.as_ref().and_then(|parent| parent.type_name.as_ref()) {
            None => provider.find(&self.scope, &nothing_named).await.unwrap(),
            Some(parent) => {
                let parents = self.provider(parent).find(&self.scope, &nothing_named).await.unwrap();
                provider.find_on(&parents.iter().collect::<Vec<_>>(), &nothing_named).await.unwrap()
            }
        };
        found.into_iter().map(|observed| observed.physical_id).collect()
    }

    /// What a search on a resource of the stack finds, as that is read.
    pub async fn found_on(&self, type_name: &str, parent: &Resource) -> Vec<String> {
        let parent = self.read(parent).await.expect("it exists");
        let found = self.provider(type_name).find_on(&[&parent], &BTreeSet::new()).await.unwrap();
        found.into_iter().map(|observed| observed.physical_id).collect()
    }

    /// The whole life of a resource: missing, made as `first` says, changed to what `second` says and back, found, deleted
    /// twice. `changed` are the paths in which they differ.
    pub async fn live_through(&self, first: &Resource, second: &Resource, changed: &[&str]) {
        assert_eq!(self.read(first).await, None, "it is missing before it is made");
        let made = self.create(first).await;
        let read = self.read(first).await.expect("it exists after create");
        for name in &self.provider(&first.type_name).schema().attributes {
            assert!(read.attributes.contains_key(name), "{name} is known: {:?}", read.attributes);
        }
        assert!(made.attributes.iter().all(|(name, value)| read.attributes.get(name) == Some(value)));
        assert!(self.scope.owns(&read.tags), "it carries the stack's tags: {:?}", read.tags);
        assert_eq!(self.paths(first).await, Vec::<String>::new(), "it is as it was made");

        assert_eq!(self.paths(second).await, changed, "the change shows");
        self.update(second).await;
        assert_eq!(self.paths(second).await, Vec::<String>::new(), "the change is in force");
        self.update(first).await;
        assert_eq!(self.paths(first).await, Vec::<String>::new(), "the change is taken back");

        assert!(self.found(&first.type_name).await.contains(&first.physical_id), "its tags find it");
        self.delete(&read).await;
        assert_eq!(self.read(first).await, None, "it is gone");
        self.delete(&read).await;
        assert!(!self.found(&first.type_name).await.contains(&first.physical_id), "nothing is left to find");
    }
}

/// Nobody listens.
pub fn silent() -> Progress {
    Progress::new("Test", Arc::new(|_| ()))
}
