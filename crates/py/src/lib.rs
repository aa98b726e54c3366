//! The compiled part of the Python package `datadiet`, imported by it as `datadiet._datadiet`.
//!
//! Three layers: `datadiet-core` and its neighbours compute, this crate hands arrays over, and the
//! Python package in `python/` has the signatures, the docstrings and the defaults. So nothing is
//! computed here: a wrapper takes the arrays' memory as slices, lets go of Python's lock, calls the
//! core, and turns its error into the class of `datadiet.exceptions`.

mod arrays;
mod capsule;
mod errors;
mod given_keys;
mod keyed_losses;
mod logit_scores;
mod loss_recorder;
mod order;
mod pictures;
mod recorder;
mod report;
mod selection;
mod shared;
mod softmax_outputs;
mod stats;
mod table;
mod task_recorders;
mod tasks;
mod trajectories;

use pyo3::pymodule;

/// The compiled part of `datadiet`.
#[pymodule]
mod _datadiet {
    use datadiet_core::{Quota, Rule};
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_export]
    use crate::keyed_losses::KeyedLossRecorder;
    #[pymodule_export]
    use crate::logit_scores::{confident_joint, logit_score, logit_scores};
    #[pymodule_export]
    use crate::loss_recorder::LossRecorder;
    #[pymodule_export]
    use crate::pictures::pictures;
    #[pymodule_export]
    use crate::recorder::Recorder;
    #[pymodule_export]
    use crate::report::sections;
    #[pymodule_export]
    use crate::selection::{choose, select};
    #[pymodule_export]
    use crate::softmax_outputs::{furthest_sum, sigmoid_rows, softmax_rows};
    #[pymodule_export]
    use crate::stats::{detection, forgetting_key, reliability, spearman};
    #[pymodule_export]
    use crate::table::{Table, marks_beside, read_subset};
    #[pymodule_export]
    use crate::task_recorders::{MultiLabelRecorder, RegressionRecorder, TokenRecorder};
    #[pymodule_export]
    use crate::tasks::{multi_label_scores, regression_scores, token_scores};
    #[pymodule_export]
    use crate::trajectories::{forgetting_of_correct, trajectory_scores};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let unknown =
            |error: datadiet_core::isa::UnknownLevel| PyValueError::new_err(error.to_string());
        datadiet_core::isa::limit().map_err(unknown)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("KEY", datadiet_table::KEY)?;
        module.add("RECORDED_PASS", datadiet_table::RECORDED_PASS)?;
        module.add("COLOURS", PyTuple::new(module.py(), datadiet_report::series_colours())?)?;
        module.add("RULES", PyTuple::new(module.py(), Rule::NAMES.map(|(name, _)| name))?)?;
        module.add("QUOTAS", PyTuple::new(module.py(), Quota::ALL.map(Quota::name))?)?;
        module.add("SCORES", crate::errors::catalogue(module.py())?)
    }
}
