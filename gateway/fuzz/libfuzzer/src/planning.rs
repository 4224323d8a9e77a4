//! libFuzzer's way into `kopitiam_fuzz::planning`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kopitiam_fuzz::planning(input));
