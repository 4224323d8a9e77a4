//! The binary `gateway`: allocator, arguments, exit code. Everything else is in the library.

use std::process::ExitCode;

/// Many small, short-lived buffers on many threads: the system's allocator contends there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kopitiam_server::commands::main()
}
