//! A minibatch in parts that pass through the network on their own, one after the other or beside each
//! other.
//!
//! Each part computes with one thread of libtorch's, and sums go by the order of the parts: the number of
//! threads changes nothing in the result. So does the optimiser's step behind them ([`on_one_thread`]).

use tch::Tensor;

use crate::parameters::Parameters;
use crate::trainer::{Pass, Passed};

/// A part that waits.
struct Part<'a> {
    parameters: Parameters,
    working: Vec<Tensor>,
    images: Tensor,
    labels: &'a [u32],
}

/// Both passes of a minibatch in `count` parts of about equal size by `threads` threads. Running statistics
/// become the mean over the parts of what each would have made of them.
pub(crate) fn pass(
    pass: Pass<'_>,
    parameters: &Parameters,
    working: &[Tensor],
    (images, labels): (&Tensor, &[u32]),
    count: usize,
    threads: usize,
) -> Passed {
    let bounds: Vec<usize> = (0..=count).map(|part| part * labels.len() / count).collect();
    let parts = bounds.windows(2).map(|bound| Part {
        parameters: parameters.with_own_buffers(),
        working: working.iter().map(Tensor::shallow_clone).collect(),
        images: images.narrow(0, bound[0] as i64, (bound[1] - bound[0]) as i64),
        labels: &labels[bound[0]..bound[1]],
    });
    let passed = share_out(parts.collect(), threads, |part| {
        let passed = pass.of(&part.parameters, &part.working, &part.images, part.labels);
        (part.parameters, passed, part.labels.len() as f64 / labels.len() as f64)
    });
    let mean = |of: &dyn Fn(&(Parameters, Passed, f64)) -> Tensor| {
        let mut terms = passed.iter().map(|part| of(part) * part.2);
        let first = terms.next().expect("a minibatch has parts");
        terms.fold(first, |sum, term| sum + term)
    };
    for (at, (statistic, _)) in parameters.statistics().enumerate() {
        let of = |parameters: &Parameters| {
            parameters.statistics().nth(at).map(|(of, _)| of.shallow_clone())
        };
        let moved = mean(&|(parameters, ..)| of(parameters).expect("parts are of one network"));
        statistic.shallow_clone().copy_(&moved);
    }
    let gradient = |at: usize| {
        let trained = passed[0].1.gradients[at].is_some();
        let of = |(_, passed, _): &(Parameters, Passed, f64)| {
            passed.gradients[at].as_ref().expect("parts train the same").shallow_clone()
        };
        trained.then(|| mean(&of))
    };
    Passed {
        logits: Tensor::cat(
            &passed.iter().map(|(_, passed, _)| &passed.logits).collect::<Vec<_>>(),
            0,
        ),
        loss: mean(&|(_, passed, _)| passed.loss.shallow_clone()),
        gradients: (0..parameters.values().len()).map(gradient).collect(),
    }
}

/// Does `work` with one thread of libtorch's, of which the caller's thread has a number of its own.
pub(crate) fn on_one_thread<R>(work: impl FnOnce() -> R) -> R {
    /// Puts the number back, whatever happens.
    struct Before(i32);
    impl Drop for Before {
        fn drop(&mut self) {
            tch::set_num_threads(self.0);
        }
    }
    let _before = Before(tch::get_num_threads());
    tch::set_num_threads(1);
    work()
}

/// What `work` makes of each item, in their order, by `threads` threads.
fn share_out<T: Send, R: Send>(
    items: Vec<T>,
    threads: usize,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let mut lists: Vec<Vec<(usize, T)>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
    for (at, item) in items.into_iter().enumerate() {
        let to = at % lists.len();
        lists[to].push((at, item));
    }
    let one = |list: Vec<(usize, T)>| -> Vec<(usize, R)> {
        on_one_thread(|| list.into_iter().map(|(at, item)| (at, work(item))).collect())
    };
    let own = lists.pop().expect("one list at least");
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = lists.into_iter().map(|list| scope.spawn(|| one(list))).collect();
        let mut results = one(own);
        for other in others {
            match other.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
