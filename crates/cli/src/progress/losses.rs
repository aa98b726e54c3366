//! The losses of trainings as they were told, for what shows them afterwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use datadiet_core::Progress;
use datadiet_core::progress::Event;

use super::Drawer;

/// Most points of a training: then every other is forgotten.
const POINTS: usize = 512;

/// Losses of minibatches by step.
type Curve = BTreeMap<u64, f64>;

/// Shows progress, and keeps the losses of each training by its name.
pub struct Losses {
    drawer: Arc<Drawer>,
    curves: Mutex<HashMap<String, Curve>>,
}

impl Losses {
    /// Nothing heard yet.
    pub fn new(drawer: Arc<Drawer>) -> Self {
        Self { drawer, curves: Mutex::default() }
    }

    /// What was heard: `[step, loss]`, ascending, of each training.
    pub fn curves(&self) -> BTreeMap<String, Vec<(u64, f64)>> {
        let points = |curve: &Curve| curve.iter().map(|(step, loss)| (*step, *loss)).collect();
        self.lock().iter().map(|(task, curve)| (task.clone(), points(curve))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Curve>> {
        self.curves.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Progress for Losses {
    fn tell(&self, event: &Event<'_>) {
        if let Event::At { task, done, loss: Some(loss), .. } = event {
            let mut curves = self.lock();
            if !curves.contains_key(&**task) {
                curves.insert(task.clone().into_owned(), Curve::new());
            }
            if let Some(curve) = curves.get_mut(&**task) {
                curve.insert(*done, *loss);
                thin(curve);
            }
        }
        self.drawer.tell(event);
    }
}

/// Forgets every other point of too many, never the last.
fn thin(curve: &mut Curve) {
    if curve.len() > POINTS {
        let mut place = curve.len();
        curve.retain(|_, _| {
            place -= 1;
            place.is_multiple_of(2)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_kept_by_training_thinned_evenly_and_with_the_last() {
        let losses = Losses::new(Arc::new(Drawer::Quiet));
        for done in 1..=5000_u64 {
            let event =
                |task: &'static str, loss| Event::At { task: task.into(), done, loss, doing: None };
            losses.tell(&event("a", Some(1.0 / done as f64)));
            losses.tell(&event("b", None));
        }
        let curves = losses.curves();
        assert_eq!(curves.len(), 1, "only of what tells losses");
        let curve = &curves["a"];
        assert!((POINTS / 2..=POINTS).contains(&curve.len()), "{} points", curve.len());
        assert!(curve[0].0 <= 16 && curve.last().unwrap() == &(5000, 1.0 / 5000.0));
    }
}
