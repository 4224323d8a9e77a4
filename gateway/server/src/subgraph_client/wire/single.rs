//! One request of HTTP/1.1 on a connection that it has for itself: streams, and bodies that are sent while they come.
//!
//! Always: the connection is polled by whoever waits for the answer and by nobody else, and closed with its body.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Builder, Connection};
use hyper_util::rt::TokioIo;

use super::body::RequestBody;
use super::connect::Stream;

/// Status line and headers together; also how much of a body is read at once.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Sends a request; gives the head of its answer and the body to be read.
///
/// # Errors
/// When the connection breaks before an answer begins, or what comes is not HTTP.
pub(super) async fn send(
    stream: Stream,
    request: Request<RequestBody>,
) -> hyper::Result<Response<SingleBody>> {
    let mut builder = Builder::new();
    let (mut sender, connection) =
        builder.max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await?;
    let mut connection = Some(Box::pin(connection));
    let mut answer = pin!(sender.send_request(request));
    let answer = poll_fn(|context| {
        drive(&mut connection, context);
        answer.as_mut().poll(context)
    })
    .await?;
    Ok(answer.map(|incoming| SingleBody { incoming, connection }))
}

type Driven = Pin<Box<Connection<TokioIo<Stream>, RequestBody>>>;

/// Lets the connection do what can be done now. Why it is over reaches whoever waits for an answer.
fn drive(connection: &mut Option<Driven>, context: &mut Context<'_>) {
    if let Some(open) = connection
        && open.as_mut().poll(context).is_ready()
    {
        *connection = None;
    }
}

/// An answer's body with the connection that it comes on.
#[derive(Debug)]
pub(crate) struct SingleBody {
    incoming: Incoming,
    /// `None` when it is over.
    connection: Option<Driven>,
}

impl Body for SingleBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        // Polled first: that is how the connection learns that somebody wants more.
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(context) {
            return Poll::Ready(frame);
        }
        drive(&mut this.connection, context);
        Pin::new(&mut this.incoming).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
