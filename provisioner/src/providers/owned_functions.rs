//! Which functions are the stack's: shared by the function and by what hangs on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::FunctionConfiguration;
use futures::future::{BoxFuture, FutureExt, Shared, WeakShared};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::errors::failed;
use super::lambda_tags::tags_of;
use crate::engine::{ProviderError, Scope};

/// How many functions' tags are read side by side; Lambda allows 15 such calls a second (E28).
const WIDTH: usize = 8;

/// A function of the stack, with all its tags.
pub(super) type Owned = (FunctionConfiguration, BTreeMap<String, String>);

type Listing = BoxFuture<'static, Result<Vec<Owned>, ProviderError>>;

/// Lists them once for all who ask at the same time: a call a function is slow in an account of hundreds (E28).
pub(super) struct OwnedFunctions {
    lambda: Client,
    running: Mutex<Option<(Scope, WeakShared<Listing>)>>,
}

impl OwnedFunctions {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { lambda: Client::new(config), running: Mutex::default() }
    }

    /// Every function of the region that carries the stack's tags.
    pub(super) async fn list(&self, scope: &Scope) -> Result<Vec<Owned>, ProviderError> {
        self.running(scope).await
    }

    /// The listing that is under way, else a new one; nobody gets one that had ended before.
    fn running(&self, scope: &Scope) -> Shared<Listing> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = running.as_ref().filter(|(of, _)| of == scope).and_then(|(_, weak)| weak.upgrade());
        under_way.filter(|listing| listing.peek().is_none()).unwrap_or_else(|| {
            let listing = list(self.lambda.clone(), scope.clone()).boxed().shared();
            *running = listing.downgrade().map(|weak| (scope.clone(), weak));
            listing
        })
    }
}

async fn list(lambda: Client, scope: Scope) -> Result<Vec<Owned>, ProviderError> {
    let pages = lambda.list_functions().into_paginator().items().send();
    let listed: Vec<FunctionConfiguration> = pages.try_collect().await.map_err(failed("lambda:ListFunctions"))?;
    let looks = listed.into_iter().map(|function| {
        let lambda = &lambda;
        async move {
            let Some(arn) = function.function_arn() else { return Ok(None) };
            Ok::<_, ProviderError>(tags_of(lambda, arn).await?.map(|tags| (function, tags)))
        }
    });
    let found: Vec<Option<Owned>> = stream::iter(looks).buffer_unordered(WIDTH).try_collect().await?;
    Ok(found.into_iter().flatten().filter(|(_, tags)| scope.owns(tags)).collect())
}
