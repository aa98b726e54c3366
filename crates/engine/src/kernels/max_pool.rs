//! Max-pool over windows without overlap, channels innermost.

use datadiet_core::isa::{Isa, Kernel, LANES, dispatch};

use super::Element;
use super::subsample::Sides;

/// Sides of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Rows.
    pub(crate) rows: usize,
    /// Columns.
    pub(crate) columns: usize,
}

/// The largest number of each window of `x`, and its place in the window (row by row); the first of
/// equals, and the last NaN where there is one. Rows and columns that fill no window are left out.
pub(crate) fn take<E: Element>(
    x: &[E],
    sides: Sides,
    window: Window,
    out: &mut [E],
    places: &mut [u16],
) {
    assert!(window.rows * window.columns <= 1 << 16, "a place in a window fits 16 bits");
    dispatch(Take { x, sides, window, out, places });
}

/// The first number of every window, in memory order.
#[inline(always)]
fn corners(sides: Sides, window: Window) -> impl Iterator<Item = usize> {
    let Sides { images, height, width, channels } = sides;
    let (down, across) = (height / window.rows, width / window.columns);
    (0..images).flat_map(move |image| {
        (0..down).flat_map(move |row| {
            (0..across).map(move |column| {
                let row = image * height + row * window.rows;
                (row * width + column * window.columns) * channels
            })
        })
    })
}

struct Take<'a, E> {
    x: &'a [E],
    sides: Sides,
    window: Window,
    out: &'a mut [E],
    places: &'a mut [u16],
}

impl<E: Element> Kernel for Take<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self { x, sides, window, out, places } = self;
        let channels = sides.channels;
        let windows = out.chunks_exact_mut(channels).zip(places.chunks_exact_mut(channels));
        for (corner, (out, places)) in corners(sides, window).zip(windows) {
            let mut channel = 0;
            while channel < channels {
                if channel + LANES <= channels {
                    take_lanes::<E, LANES>(x, corner, channel, sides, window, out, places);
                    channel += LANES;
                } else {
                    take_lanes::<E, 1>(x, corner, channel, sides, window, out, places);
                    channel += 1;
                }
            }
        }
    }
}

#[inline(always)]
fn take_lanes<E: Element, const L: usize>(
    x: &[E],
    corner: usize,
    channel: usize,
    sides: Sides,
    window: Window,
    out: &mut [E],
    places: &mut [u16],
) {
    let mut largest = [f32::NEG_INFINITY; L];
    let mut place = [0u32; L];
    for row in 0..window.rows {
        for column in 0..window.columns {
            let at = corner + (row * sides.width + column) * sides.channels + channel;
            let values: &[E; L] = x[at..at + L].try_into().expect("a slice of this length");
            let here = (row * window.columns + column) as u32;
            for lane in 0..L {
                let value = values[lane].widen();
                let larger = (value > largest[lane]) | value.is_nan();
                largest[lane] = if larger { value } else { largest[lane] };
                place[lane] = if larger { here } else { place[lane] };
            }
        }
    }
    for lane in 0..L {
        out[channel + lane] = E::narrow(largest[lane]);
        places[channel + lane] = place[lane] as u16;
    }
}

/// Writes the gradient of the input, `out` in the shape of `sides`: the gradient of each window at the
/// place of its largest number, 0 elsewhere.
pub(crate) fn carry_back<E: Element>(
    grad: &[E],
    places: &[u16],
    sides: Sides,
    window: Window,
    out: &mut [E],
) {
    if !sides.height.is_multiple_of(window.rows) || !sides.width.is_multiple_of(window.columns) {
        out.fill(E::narrow(0.0));
    }
    dispatch(CarryBack { grad, places, sides, window, out });
}

struct CarryBack<'a, E> {
    grad: &'a [E],
    places: &'a [u16],
    sides: Sides,
    window: Window,
    out: &'a mut [E],
}

impl<E: Element> Kernel for CarryBack<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self { grad, places, sides, window, out } = self;
        let channels = sides.channels;
        let zero = E::narrow(0.0);
        let windows = grad.chunks_exact(channels).zip(places.chunks_exact(channels));
        for (corner, (grad, places)) in corners(sides, window).zip(windows) {
            for row in 0..window.rows {
                let start = corner + row * sides.width * channels;
                let run = &mut out[start..start + window.columns * channels];
                for (column, out) in run.chunks_exact_mut(channels).enumerate() {
                    let here = (row * window.columns + column) as u16;
                    for ((out, &grad), &place) in out.iter_mut().zip(grad).zip(places) {
                        *out = if place == here { grad } else { zero };
                    }
                }
            }
        }
    }
}
