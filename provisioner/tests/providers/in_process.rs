//! Whole stacks on the emulator without the binary: a template goes through the engine in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use provisioner::engine::{DestroyOptions, EngineError, Look, Plan, Report, Scope, Stack};
use provisioner::template::{Pseudo, Template};
use serde_json::{Value, json};

use crate::stage::Stage;

impl Stage {
    /// A template as JSON, with a condition that holds and one that does not.
    pub fn template(&self, resources: Value) -> Template {
        let conditions = json!({"Holds": {"Fn::Equals": ["a", "a"]}, "Fails": {"Fn::Equals": ["a", "b"]}});
        let text = json!({"Conditions": conditions, "Resources": resources}).to_string();
        Template::parse("test.json", &text).unwrap_or_else(|problems| panic!("{problems}"))
    }

    pub fn stack<'t>(&self, template: &'t Template) -> Stack<'t> {
        let Scope { stack, account, region, partition } = self.scope.clone();
        let url_suffix = "amazonaws.com".into();
        let pseudo = Pseudo { account_id: account, region, partition, stack_name: stack, url_suffix, guessed: vec![] };
        let bound = template.bind(&BTreeMap::new(), &pseudo).unwrap_or_else(|problems| panic!("{problems}"));
        Stack { scope: self.scope.clone(), bound, providers: self.providers() }
    }

    pub async fn plan(&self, resources: &Value) -> Result<Plan, EngineError> {
        self.stack(&self.template(resources.clone())).plan(false).await
    }

    /// Makes it so; every resource must come out well, and a second plan must be empty.
    pub async fn up(&self, resources: &Value) {
        let report = self.try_up(resources).await;
        assert!(report.is_whole(), "{report:?}");
        let plan = self.plan(resources).await.unwrap();
        let left: Vec<_> = plan.changes.iter().filter(|change| !change.differences.is_empty()).collect();
        let all: Vec<_> = plan.changes.iter().map(|change| (&change.physical_id, change.action)).collect();
        assert!(plan.is_empty(), "{left:#?} {all:?}");
    }

    pub async fn try_up(&self, resources: &Value) -> Report {
        let template = self.template(resources.clone());
        let stack = self.stack(&template);
        let plan = stack.plan(false).await.unwrap();
        stack.apply(&plan, &observer(), &Default::default()).await
    }

    /// Takes over what is there; every resource must come out well. Gives the paths of what differed.
    pub async fn adopt(&self, resources: &Value) -> Vec<String> {
        let template = self.template(resources.clone());
        let stack = self.stack(&template);
        let plan = stack.plan(true).await.unwrap();
        let report = stack.apply(&plan, &observer(), &Default::default()).await;
        assert!(report.is_whole(), "{report:?}");
        plan.changes.into_iter().flat_map(|change| change.differences).map(|difference| difference.path).collect()
    }

    pub async fn looks(&self, resources: &Value) -> Vec<Look> {
        self.stack(&self.template(resources.clone())).look().await.unwrap()
    }

    /// Takes everything down, data too; the audit must be empty.
    pub async fn down(&self, resources: &Value) {
        let template = self.template(resources.clone());
        let stack = self.stack(&template);
        let options = DestroyOptions { delete_data: true, no_wait: true, ..DestroyOptions::default() };
        let plan = stack.plan_destroy(options).await.unwrap();
        let report = stack.destroy(&plan, options, &observer(), &Default::default()).await;
        assert!(report.is_whole(), "{report:?}");
        let audit = DestroyOptions { no_wait: false, ..options };
        assert_eq!(stack.audit(audit, &report, &observer()).await.unwrap(), vec![]);
    }
}

pub fn observer() -> provisioner::engine::Observer {
    Arc::new(|_| ())
}
