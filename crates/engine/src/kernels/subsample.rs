//! Every `stride`-th row and column of an activation: taking them, and adding to them.

use datadiet_core::isa::{Isa, Kernel, dispatch};

use super::Element;

/// Sides of an activation N×H×W×C in memory order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    /// Images.
    pub(crate) images: usize,
    /// Rows.
    pub(crate) height: usize,
    /// Columns.
    pub(crate) width: usize,
    /// Channels.
    pub(crate) channels: usize,
}

impl Sides {
    /// First number of every place that a stride takes, in order.
    fn places(self, stride: usize) -> impl Iterator<Item = usize> {
        let Self { images, height, width, channels } = self;
        (0..images * height).filter(move |row| (row % height).is_multiple_of(stride)).flat_map(
            move |row| {
                (0..width).step_by(stride).map(move |column| (row * width + column) * channels)
            },
        )
    }
}

/// Copies every `stride`-th row and column of `x` to `out`.
pub(crate) fn take<E: Element>(x: &[E], sides: Sides, stride: usize, out: &mut [E]) {
    let channels = sides.channels;
    for (at, out) in sides.places(stride).zip(out.chunks_exact_mut(channels)) {
        out.copy_from_slice(&x[at..at + channels]);
    }
}

/// Adds `values` to every `stride`-th row and column of `x`.
pub(crate) fn add<E: Element>(x: &mut [E], sides: Sides, stride: usize, values: &[E]) {
    // Without gaps it is one run.
    let run = if stride == 1 { x.len() } else { sides.channels };
    let sides =
        if stride == 1 { Sides { images: 1, height: 1, width: 1, channels: run } } else { sides };
    dispatch(Add { x, sides, stride, values });
}

struct Add<'a, E> {
    x: &'a mut [E],
    sides: Sides,
    stride: usize,
    values: &'a [E],
}

impl<E: Element> Kernel for Add<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self { x, sides, stride, values } = self;
        let run = sides.channels;
        for (at, values) in sides.places(stride).zip(values.chunks_exact(run)) {
            add_run(&mut x[at..at + run], values);
        }
    }
}

#[inline(always)]
fn add_run<E: Element>(x: &mut [E], values: &[E]) {
    for (x, &value) in x.iter_mut().zip(values) {
        *x = E::narrow(x.widen() + value.widen());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_and_adds_to_every_second_place() {
        let sides = Sides { images: 2, height: 3, width: 3, channels: 2 };
        let mut x: Vec<f32> = (0..36u8).map(f32::from).collect();
        let mut taken = [0.0; 16];
        take(&x, sides, 2, &mut taken);
        assert_eq!(
            taken,
            [
                0.0, 1.0, 4.0, 5.0, 12.0, 13.0, 16.0, 17.0, 18.0, 19.0, 22.0, 23.0, 30.0, 31.0,
                34.0, 35.0
            ]
        );
        add(&mut x, sides, 2, &taken);
        let doubled = x.iter().zip(0u8..).filter(|(x, i)| **x == f32::from(*i) * 2.0).count();
        assert_eq!(doubled, 16, "the taken ones (0 is its own double)");
        add(&mut x, sides, 1, &[1.0; 36]);
        assert_eq!((x[0], x[35], x[2]), (1.0, 71.0, 3.0));
    }
}
