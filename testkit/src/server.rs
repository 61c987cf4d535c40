//! An HTTP/1.1 server on a free port, with a thread and a runtime of its own: a test may block, and the server still answers.
//!
//! Unlike axum's own `serve` it can break a connection without an answer, as networks do.

use std::{io, net::SocketAddr, thread};

use axum::{Router, body::Body, response::Response};
use hyper::body::Incoming;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, sync::oneshot};
use tower::{ServiceExt as _, service_fn};

/// In a response's extensions: close the connection instead of answering.
#[derive(Clone)]
pub(crate) struct Cut;

/// A response that the client never sees: its connection is closed.
pub(crate) fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

/// A running server; dropped, it stops and closes its connections.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Serves `router` on `port` of 127.0.0.1, or on a free one for 0.
    pub(crate) fn start(port: u16, router: Router) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Bound here, by the standard library: the caller may be in a runtime of its own, where ours may not block.
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("testkit-server".into()).spawn(move || {
            runtime.block_on(async {
                // Fails only outside a runtime.
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! { () = accept(listener, router) => {}, _ = stopped => {} }
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The server's address as a URL without a slash at its end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, router: Router) {
    loop {
        // A failed accept (the client is gone already) is that client's affair.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let answer = service_fn(move |request: hyper::Request<Incoming>| {
            let router = router.clone();
            async move { answer(router, request).await }
        });
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            // An error here is a connection that we cut or the client closed.
            let _ = connection.serve_connection(TokioIo::new(stream), TowerToHyperService::new(answer)).await;
        });
    }
}

async fn answer(router: Router, request: hyper::Request<Incoming>) -> Result<Response, io::Error> {
    let Ok(response) = router.oneshot(request.map(Body::new)).await;
    match response.extensions().get::<Cut>() {
        Some(Cut) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        None => Ok(response),
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    #[test]
    fn a_cut_answer_closes_the_connection_and_the_next_is_served() {
        let router = Router::new().route("/cut", get(async || cut())).route("/", get(async || "well"));
        let server = Server::start(0, router).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let cut = reqwest::get(format!("{}/cut", server.url())).await;
            assert!(cut.is_err_and(|error| error.status().is_none()), "no status comes before the cut");
            let well = reqwest::get(server.url()).await.unwrap().text().await.unwrap();
            assert_eq!(well, "well");
        });
    }
}
