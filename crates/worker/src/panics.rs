//! What a person reads when libtorch cannot go on: its refusals arrive as panics.

use std::panic::{self, PanicHookInfo};

/// Tells of a GPU whose memory does not suffice in words that name the next step; of all else as before.
pub fn tell_in_words() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| match out_of_memory(info) {
        Some(libtorch) => eprintln!(
            "error: the GPU's memory does not suffice; give a smaller --batch, --micro-batch to pass batches in \
             parts, a smaller --memory for gradient norms, or fewer --workers a GPU (libtorch: {libtorch})"
        ),
        None => before(info),
    }));
}

/// What libtorch says first about memory that it did not get.
fn out_of_memory(info: &PanicHookInfo<'_>) -> Option<String> {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied())?;
    let at = text.find("CUDA out of memory")?;
    Some(text[at..].split(['\n', '"']).next().unwrap_or_default().chars().take(300).collect())
}
