//! What options and recipes are resolved to.

use datadiet_core::ScoreKind;
use datadiet_lab::{
    ExperimentOptions, OrNone, PrecisionChoice, Recipe, ScheduleKind, ScoringOptions, Training,
    TrainingOptions, Width, settings, taken,
};
use datadiet_store::{
    Activation, Flip, LearningRate, Lookahead, Muon, NetworkSpec, RunId, RunSpec, Views,
};

use crate::bench::Bench;

/// Exact arithmetic, so that specifications are the same on every machine.
fn plain() -> TrainingOptions {
    TrainingOptions { precision: Some(PrecisionChoice::F32), ..TrainingOptions::default() }
}

fn airbench() -> TrainingOptions {
    TrainingOptions { model: Some("airbench".into()), ..plain() }
}

fn resolved(options: &TrainingOptions) -> RunSpec {
    Training::new(options, &Bench::new().dataset).unwrap().template
}

/// Ids of runs that were trained before there were recipes.
#[test]
fn commands_of_before_recipes_are_the_same_runs() {
    let limited = TrainingOptions { limit: Some(256), ..plain() };
    let mlp = TrainingOptions {
        model: Some("mlp".into()),
        width: Some(Width::Channels(8)),
        lr: Some(0.25),
        flip: Some(Flip::Never),
        warm_up: Some(1.0),
        schedule: Some(ScheduleKind::Linear),
        ..limited.clone()
    };
    let resnet18 = TrainingOptions {
        model: Some("resnet18".into()),
        width: Some(Width::Channels(4)),
        schedule: Some(ScheduleKind::Paper),
        epochs: Some(2.0),
        momentum: Some(0.5),
        weight_decay: Some(1e-3),
        crop_padding: Some(2),
        ..limited.clone()
    };
    let short =
        TrainingOptions { limit: Some(200), epochs: Some(1.0), batch: Some(100), ..plain() };
    for (options, id) in [
        (short, "11362ae7e4e7a298"),
        (limited, "645e8962d8753d9c"),
        (mlp, "542a6323b3f1d3bc"),
        (resnet18, "0eb492c8c4f6d9b3"),
    ] {
        for recipe in [None, Some(Recipe::Classic)] {
            let options = TrainingOptions { recipe, ..options.clone() };
            let spec = RunSpec { replica: 1000, ..resolved(&options) };
            assert_eq!(RunId::of(&spec).as_str(), id, "{spec:?}");
        }
    }
}

#[test]
fn the_recipe_of_the_paper() {
    let spec = resolved(&TrainingOptions { recipe: Some(Recipe::Paper), ..plain() });
    assert_eq!(spec.network, NetworkSpec::new("resnet18", 64));
    let schedule = &spec.schedule;
    // Seven steps of 128 in an epoch of a thousand examples.
    assert_eq!((schedule.steps, schedule.batch), (200 * 7, 128));
    let milestones = vec![420, 840, 1120];
    let rate = LearningRate::Milestones { base: 0.1, factor: 0.2, milestones };
    assert_eq!(schedule.learning_rate, rate);
    assert_eq!((schedule.momentum, schedule.weight_decay, schedule.nesterov), (0.9, 5e-4, true));
    assert_eq!((spec.augmentation.crop_padding, spec.augmentation.flip), (4, Flip::Random));
    assert_eq!((spec.views, schedule.muon, schedule.label_smoothing), (Views::Plain, None, 0.0));
    // With another network, and only that is another.
    let other =
        TrainingOptions { recipe: Some(Recipe::Paper), model: Some("resnet8".into()), ..plain() };
    let network = NetworkSpec::new("resnet8", 16);
    assert_eq!(resolved(&other), RunSpec { network, ..spec });
}

#[test]
fn the_recipe_of_the_speedrun() {
    let spec = resolved(&airbench());
    assert_eq!(spec, resolved(&TrainingOptions { recipe: Some(Recipe::Speedrun), ..plain() }));
    assert_eq!(spec.network, NetworkSpec::new("airbench", 64));
    let schedule = &spec.schedule;
    assert_eq!((schedule.steps, schedule.batch), (8 * 25, 40));
    let LearningRate::WarmUpLinear { peak, warm_up: 0 } = schedule.learning_rate else {
        panic!("{:?}", schedule.learning_rate)
    };
    assert!((peak - 0.67 * 40.0).abs() < 1e-12);
    assert!((schedule.bias_rate * peak - 0.053 * 40.0).abs() < 1e-12);
    assert!((schedule.weight_decay * peak - 2e-6 * 40.0).abs() < 1e-15);
    assert_eq!((schedule.momentum, schedule.nesterov), (0.85, true));
    assert_eq!(schedule.muon, Some(Muon { rate: 0.24, momentum: 0.6 }));
    assert_eq!((schedule.label_smoothing, schedule.lookahead), (0.2, None));
    assert_eq!((schedule.micro_batch, schedule.whitening_steps), (None, Some(75)));
    // 28 pixels.
    assert_eq!((spec.augmentation.crop_padding, spec.augmentation.flip), (2, Flip::Alternating));
    assert_eq!(spec.views, Views::MirroredShifted);
    let large = resolved(&TrainingOptions { batch: Some(1000), ..airbench() });
    assert_eq!(large.schedule.micro_batch, Some(250));
}

#[test]
fn every_value_of_a_recipe_can_be_given() {
    let spec = resolved(&TrainingOptions {
        width: Some(Width::Times(0.25)),
        activation: Some(Activation::Silu),
        epochs: Some(4.0),
        batch: Some(100),
        lr: Some(10.0),
        schedule: Some(ScheduleKind::Paper),
        momentum: Some(0.9),
        weight_decay: Some(1e-5),
        bias_rate: Some(2.0),
        muon: Some(OrNone(Some(0.1))),
        muon_momentum: Some(0.7),
        lookahead: Some(OrNone(Some(5))),
        lookahead_decay: Some(0.9),
        label_smoothing: Some(0.0),
        micro_batch: Some(OrNone(Some(50))),
        whitening_epochs: Some(1.5),
        crop_padding: Some(0),
        flip: Some(Flip::Never),
        views: Some(Views::Mirrored),
        ..airbench()
    });
    assert_eq!((spec.network.width, spec.network.activation), (16, Some(Activation::Silu)));
    let schedule = &spec.schedule;
    assert_eq!((schedule.steps, schedule.batch, schedule.learning_rate.peak()), (40, 100, 10.0));
    assert_eq!((schedule.momentum, schedule.weight_decay, schedule.bias_rate), (0.9, 1e-5, 2.0));
    assert_eq!(schedule.muon, Some(Muon { rate: 0.1, momentum: 0.7 }));
    assert_eq!(schedule.lookahead, Some(Lookahead { every: 5, decay: 0.9 }));
    assert_eq!((schedule.label_smoothing, schedule.micro_batch), (0.0, Some(50)));
    assert_eq!(schedule.whitening_steps, Some(15));
    assert_eq!((spec.augmentation.crop_padding, spec.augmentation.flip), (0, Flip::Never));
    assert_eq!(spec.views, Views::Mirrored);
    // The rates of the recipe do not follow from one that is given.
    let (own, other) = (resolved(&airbench()), TrainingOptions { lr: Some(1.0), ..airbench() });
    assert_eq!(resolved(&other).schedule.bias_rate, own.schedule.bias_rate);
    // Whole, though the recipe would cut it; and a part that is the whole is the same run.
    let large = TrainingOptions { batch: Some(1000), ..airbench() };
    for size in [OrNone(None), OrNone(Some(1000))] {
        let whole = TrainingOptions { micro_batch: Some(size), ..large.clone() };
        assert_eq!(resolved(&whole).schedule.micro_batch, None);
    }
    // The ingredients suit other networks.
    let resnet = resolved(&TrainingOptions {
        label_smoothing: Some(0.2),
        flip: Some(Flip::Alternating),
        muon: Some(OrNone(Some(0.1))),
        activation: Some(Activation::Gelu),
        ..plain()
    });
    assert_eq!(resnet.schedule.muon, Some(Muon { rate: 0.1, momentum: 0.6 }));
    assert_eq!(resnet.schedule.label_smoothing, 0.2);
}

/// What a network does by itself is the same run where it is asked for.
#[test]
fn what_is_the_networks_own_is_the_same_run_when_named() {
    let mlp = || TrainingOptions { model: Some("mlp".into()), ..plain() };
    for (options, own, other) in [
        (plain(), Activation::Relu, Activation::Gelu),
        (mlp(), Activation::Relu, Activation::Silu),
        (airbench(), Activation::Gelu, Activation::Relu),
    ] {
        let with = |activation| {
            resolved(&TrainingOptions { activation: Some(activation), ..options.clone() })
        };
        assert_eq!(RunId::of(&with(own)), RunId::of(&resolved(&options)));
        assert_eq!(with(other).network.activation, Some(other));
    }
    // To the end of eight epochs, and a step less.
    for (epochs, steps) in [(8.0, None), (7.96, Some(199))] {
        let options = TrainingOptions { whitening_epochs: Some(epochs), ..airbench() };
        assert_eq!(resolved(&options).schedule.whitening_steps, steps);
    }
    // No warm-up is what milestones have.
    let paper = || TrainingOptions { recipe: Some(Recipe::Paper), ..plain() };
    let without = TrainingOptions { warm_up: Some(0.0), ..paper() };
    assert_eq!(resolved(&without), resolved(&paper()));
}

#[test]
fn what_makes_no_sense_names_the_option() {
    let bench = Bench::new();
    let mlp = || TrainingOptions { model: Some("mlp".into()), ..plain() };
    for (options, words) in [
        (
            TrainingOptions { recipe: Some(Recipe::Speedrun), ..mlp() },
            ["--recipe speedrun", "airbench"],
        ),
        (
            TrainingOptions { label_smoothing: Some(1.0), ..plain() },
            ["--label-smoothing 1", "[0, 1)"],
        ),
        (TrainingOptions { bias_rate: Some(0.0), ..plain() }, ["--bias-rate 0", "above 0"]),
        (TrainingOptions { bias_rate: Some(f64::NAN), ..plain() }, ["--bias-rate", "above 0"]),
        (TrainingOptions { muon: Some(OrNone(Some(-1.0))), ..plain() }, ["--muon -1", "above 0"]),
        (TrainingOptions { muon: Some(OrNone(Some(0.1))), ..mlp() }, ["--muon", "mlp has not"]),
        (
            TrainingOptions { muon_momentum: Some(0.5), ..plain() },
            ["--muon-momentum", "--muon 0.24"],
        ),
        (
            TrainingOptions { muon_momentum: Some(1.0), ..airbench() },
            ["--muon-momentum 1", "[0, 1)"],
        ),
        (TrainingOptions { muon: Some(OrNone(None)), ..airbench() }, ["without Muon", "give --lr"]),
        (
            TrainingOptions { lookahead: Some(OrNone(Some(500))), ..plain() },
            ["--lookahead 500", "28 steps"],
        ),
        (
            TrainingOptions { lookahead_decay: Some(0.9), ..plain() },
            ["--lookahead-decay", "give --lookahead"],
        ),
        (
            TrainingOptions {
                lookahead: Some(OrNone(Some(5))),
                lookahead_decay: Some(1.0),
                ..plain()
            },
            ["--lookahead-decay 1", "[0, 1)"],
        ),
        (
            TrainingOptions { micro_batch: Some(OrNone(Some(1))), ..plain() },
            ["--micro-batch 1", "at least 2"],
        ),
        (
            TrainingOptions { micro_batch: Some(OrNone(Some(50))), ..plain() },
            ["--micro-batch 50", "the batch of 128"],
        ),
        (
            TrainingOptions { whitening_epochs: Some(1.0), ..plain() },
            ["--whitening-epochs", "resnet8"],
        ),
        (
            TrainingOptions { whitening_epochs: Some(9.0), ..airbench() },
            ["--whitening-epochs 9", "length of the training"],
        ),
        (
            TrainingOptions { width: Some(Width::Times(1e-4)), ..plain() },
            ["--width", "such as 0.25x"],
        ),
        (
            TrainingOptions { schedule: Some(ScheduleKind::Paper), warm_up: Some(1.0), ..plain() },
            ["--warm-up 1", "--schedule linear"],
        ),
        (
            TrainingOptions { recipe: Some(Recipe::Paper), warm_up: Some(5.0), ..plain() },
            ["--warm-up 5", "the recipe's"],
        ),
        (
            TrainingOptions { weight_decay: Some(-1.0), ..plain() },
            ["--weight-decay -1", "negative"],
        ),
    ] {
        let message = Training::new(&options, &bench.dataset).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

#[test]
fn options_are_the_same_in_a_file() {
    let text = "
        [training]
        recipe = \"speedrun\"
        width = \"0.25x\"
        activation = \"silu\"
        label-smoothing = 0.1
        flip = \"alternating\"
        bias-rate = 0.5
        muon = 0.2
        muon-momentum = 0.5
        lookahead = 5
        lookahead-decay = 0.9
        micro-batch = 20
        views = \"mirrored\"
        whitening-epochs = 2
        precision = \"f32\"
        [curve]
        by = [\"el2n@1\"]
        keep = [0.5]
        [scoring]
        at = [1]
    ";
    let options = ExperimentOptions::parse(text, &[]).unwrap().0;
    let expected = TrainingOptions {
        recipe: Some(Recipe::Speedrun),
        width: Some(Width::Times(0.25)),
        activation: Some(Activation::Silu),
        label_smoothing: Some(0.1),
        flip: Some(Flip::Alternating),
        bias_rate: Some(0.5),
        muon: Some(OrNone(Some(0.2))),
        muon_momentum: Some(0.5),
        lookahead: Some(OrNone(Some(5))),
        lookahead_decay: Some(0.9),
        micro_batch: Some(OrNone(Some(20))),
        views: Some(Views::Mirrored),
        whitening_epochs: Some(2.0),
        ..plain()
    };
    assert_eq!(options.training, expected);
    let plan = Bench::new().resolved(options).unwrap().plan();
    assert_eq!(plan["recipe"], "speedrun");
    assert!(plan["settings"].as_str().unwrap().contains("label smoothing 0.1"), "{plan}");
    for (change, words) in [
        ("training.width=0.25", ["such as 16", "such as 0.25x"]),
        ("training.recipe=fast", ["fast", "speedrun"]),
        ("training.activation=tanh", ["tanh", "gelu"]),
        ("training.flip=sometimes", ["sometimes", "alternating"]),
        ("training.muon=much", ["much", "none"]),
        ("training.views=all", ["all", "mirrored-shifted"]),
    ] {
        let message = ExperimentOptions::parse(text, &[change.into()]).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{change}: {message}");
    }
    let off = ["training.muon=none", "training.micro-batch=0", "training.flip=true"];
    let options = ExperimentOptions::parse(text, &off.map(String::from)).unwrap().0.training;
    assert_eq!((options.muon, options.micro_batch), (Some(OrNone(None)), Some(OrNone(None))));
    assert_eq!(options.flip, Some(Flip::Random));
}

#[test]
fn what_was_taken_is_told_in_a_line() {
    let options = TrainingOptions { lookahead: Some(OrNone(Some(5))), ..airbench() };
    let line = taken(&options, &resolved(&options));
    assert_eq!(
        line,
        "recipe speedrun: 200 steps of 40 · Muon 0.24 with momentum 0.6 on filters, lr 26.8 falling \
         linearly to 0 on the rest · momentum 0.85 (Nesterov) · weight decay 2.985e-6 · biases 0.0791 \
         times as fast · lookahead every 5 steps, decay 0.95 · label smoothing 0.2 · whitening bias \
         for 75 steps · crop 2 · alternating flip · tested on mirrored-shifted views"
    );
    assert_eq!(
        settings(&resolved(&plain())),
        "28 steps of 128 · lr 0.1 after 2 steps, then linearly to 0 · momentum 0.9 (Nesterov) · weight \
         decay 0.0005 · crop 3 · random flip"
    );
}

/// A network beside the experiment's own has a recipe of its own where that is airbench's.
#[test]
fn other_networks_have_the_recipe_that_suits_them() {
    let text = |own: &str, other: &str| {
        format!(
            "[training]\n{own}\nlr = 0.3\n[scoring]\nat = [1]\n[correlations]\ncolumns = [\"el2n@1\"]\n\
             networks = [{{ {other} }}]"
        )
    };
    let bench = Bench::new();
    let scene = |own: &str, other: &str| {
        let experiment = bench.experiment(&text(own, other)).unwrap();
        experiment.scenes.all()[1].template.clone()
    };
    let simple = scene("recipe = \"speedrun\"", "model = \"simple-cnn\", width = \"0.5x\"");
    assert_eq!((simple.network.width, simple.schedule.batch), (16, 128));
    assert_eq!(simple.schedule.learning_rate.peak(), 0.1);
    let airbench = scene("", "model = \"airbench\"");
    assert!((airbench.schedule.learning_rate.peak() - 26.8).abs() < 1e-12);
    let paper = scene("recipe = \"paper\"\nepochs = 2", "model = \"resnet8\"");
    assert!(matches!(paper.schedule.learning_rate, LearningRate::Milestones { base: 0.3, .. }));
    let asked = scene("", "model = \"airbench\", recipe = \"classic\"");
    assert_eq!((asked.schedule.learning_rate.peak(), asked.schedule.muon), (0.3, None));
}

/// What was given for a recipe, or for layers, that the other network has not is not taken.
#[test]
fn other_networks_leave_what_they_cannot_take() {
    let bench = Bench::new();
    let scene = |own: &str, other: &str| {
        let experiment = bench.experiment(&format!(
            "[training]\n{own}\n[scoring]\nat = [1]\n[correlations]\ncolumns = [\"el2n@1\"]\n\
             networks = [{{ {other} }}]"
        ));
        let scenes = experiment.unwrap().scenes;
        [0, 1].map(|at| scenes.all()[at].template.schedule.clone())
    };
    let [own, resnet] = scene(
        "recipe = \"speedrun\"\nbatch = 1000\nmicro-batch = 500\nwhitening-epochs = 1\nmuon = 0.1",
        "model = \"resnet8\"",
    );
    assert_eq!((own.micro_batch, own.whitening_steps, own.batch), (Some(500), Some(1), 1000));
    assert_eq!((resnet.micro_batch, resnet.whitening_steps), (None, None));
    assert_eq!((resnet.muon, resnet.batch), (None, 1000));
    let [_, resnet] = scene("recipe = \"speedrun\"\nmicro-batch = 20", "model = \"resnet8\"");
    assert_eq!((resnet.micro_batch, resnet.batch), (None, 128));
    let [own, mlp] = scene("muon = 0.1\nmuon-momentum = 0.5", "model = \"mlp\"");
    assert_eq!((own.muon, mlp.muon), (Some(Muon { rate: 0.1, momentum: 0.5 }), None));
    // Of the same recipe: what both have is of both.
    let [own, resnet] = scene(
        "recipe = \"classic\"\nmodel = \"airbench\"\nwhitening-epochs = 1\nmicro-batch = 64\n\
         muon = 0.1\nwarm-up = 1",
        "model = \"resnet8\", recipe = \"classic\"",
    );
    assert_eq!((own.whitening_steps, resnet.whitening_steps), (Some(7), None));
    assert_eq!((resnet.micro_batch, resnet.muon), (Some(64), own.muon));
    assert_eq!(resnet.learning_rate, own.learning_rate);
    // The paper's milestones have no warm-up.
    let [_, paper] = scene("warm-up = 1", "model = \"mlp\", recipe = \"paper\"");
    assert!(matches!(paper.learning_rate, LearningRate::Milestones { .. }));
}

/// The last epoch of the recipe is a time to score at where no length is given.
#[test]
fn times_are_of_the_recipes_length() {
    let scoring = ScoringOptions::one(ScoreKind::El2n, 8.0, 1);
    let bench = Bench::new();
    let experiment = |training| ExperimentOptions::new("", training, scoring.clone());
    assert!(bench.resolved(experiment(airbench())).is_ok());
    assert!(bench.resolved(experiment(plain())).is_err());
}
