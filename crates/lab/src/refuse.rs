//! Refusing what makes no sense, in one line.

/// Returns with a [`LabError::Plan`](crate::LabError::Plan) of this text.
macro_rules! bail {
    ($($text:tt)*) => {
        return Err($crate::LabError::Plan(format!($($text)*)).into())
    };
}

/// Returns with a [`LabError::Plan`](crate::LabError::Plan) of this text unless something holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        // Not `if !$holds`: of numbers that are not ordered, `>` does not hold either.
        match $holds {
            true => {}
            false => $crate::refuse::bail!($($text)*),
        }
    };
}

pub(crate) use {bail, ensure};
