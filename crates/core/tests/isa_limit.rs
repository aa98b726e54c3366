//! `DATADIET_MAX_ISA`, which a process reads once: each value in a process of its own.

use std::{
    env,
    process::{Command, Output},
};

use datadiet_core::isa::{Avx2, Avx512, Avx512Bf16, Isa, Kernel, Level, dispatch, limit};

/// Whether the instructions chosen have fused multiplication.
struct IsFused;

impl Kernel for IsFused {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> bool {
        I::FMA
    }
}

/// Run by the other test with the variable set; by itself it says what an unset one gives.
#[test]
fn tokens_are_within_the_limit() {
    let limit = limit().unwrap();
    assert!(Avx512Bf16::detect().is_none() || limit >= Level::Avx512Bf16);
    assert!(Avx512::detect().is_none() || limit >= Level::Avx512);
    assert!(Avx2::detect().is_none() || limit >= Level::Avx2);
    // A better set has all of the lesser ones.
    assert!(Avx512Bf16::detect().is_none() || Avx512::detect().is_some());
    assert!(Avx512::detect().is_none() || Avx2::detect().is_some());
    assert_eq!(
        dispatch(IsFused),
        Avx2::detect().is_some() || cfg!(any(target_feature = "fma", target_arch = "aarch64"))
    );
    println!("limit {limit:?}");
}

fn with_limit(value: &str) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "tokens_are_within_the_limit", "--nocapture"]);
    command.env("DATADIET_MAX_ISA", value).output().unwrap()
}

#[test]
fn the_variable_limits_the_tokens() {
    for (value, level) in [
        ("scalar", Level::Scalar),
        ("avx2", Level::Avx2),
        ("avx512", Level::Avx512),
        ("avx512-bf16", Level::Avx512Bf16),
        ("", Level::Avx512Bf16),
    ] {
        let output = with_limit(value);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{value}: {said}");
        assert!(said.contains(&format!("limit {level:?}")), "{value}: {said}");
    }
}

#[test]
fn an_unknown_value_is_refused_with_those_that_are_known() {
    let error = "sse9".parse::<Level>().unwrap_err().to_string();
    for name in ["DATADIET_MAX_ISA=sse9", "scalar", "avx2", "avx512", "avx512-bf16"] {
        assert!(error.contains(name), "{error}");
    }
    let output = with_limit("sse9");
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
