//! libFuzzer's way into `kopitiam_fuzz::merging`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kopitiam_fuzz::merging(input));
