"""The pictures: that they show what the records hold, are the same bytes each time, and leave no trace."""

import subprocess
import sys
import tracemalloc

import attrs
import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import FillBetweenPolyCollection, LineCollection
from matplotlib.figure import Figure

import funcnn
from funcnn import Activation, Dataset, Experiment, Layer, Params, plotting
from funcnn.plotting import style

SOLO = (plotting.ground_truth, plotting.learning_curve, plotting.decision_surface, plotting.gradient_norms)

WEIRD = {
    "learned": Experiment(epochs=2000),
    "linear, tanh": Experiment("linear", act="tanh", epochs=300),
    "diverged at once": Experiment(act="none", lr=10),
    "dead": Experiment(act="relu", seed=3, epochs=1200),
    "one epoch": Experiment(epochs=1),
    "two epochs": Experiment(epochs=2),
    "no hidden layer": Experiment(hidden=(), epochs=100),
    "wide, biased": Experiment(hidden=(8,), bias=True, epochs=100),
    "deep, mixed": Experiment(hidden=(4, 12, 5), act=("tanh", "relu", "leaky_relu", "sigmoid"), epochs=100),
    "seven layers": Experiment(hidden=(2,) * 6, epochs=50),
    "loss of 1e-31": Experiment(act="relu", seed=2, epochs=1500),
}


@pytest.fixture(scope="module")
def learned():
    return funcnn.run(Experiment(epochs=2000))


@pytest.fixture(scope="module")
def ensemble():
    return funcnn.run(Experiment(epochs=700, seed=range(9)))


def drawn(axes, label):
    """Return x and y of the line that the legend calls ``label``."""
    return next(line for line in axes.get_lines() if line.get_label() == label).get_data()


def lengthened(run, loss):
    """Return ``run`` with another loss history, of any length."""
    epoch = np.arange(len(loss))
    history = attrs.evolve(run.history, epoch=epoch, loss=np.array(loss), accuracy=np.full(len(loss), 0.5))
    return attrs.evolve(run, history=history)


@pytest.mark.parametrize("experiment", WEIRD.values(), ids=WEIRD)
def test_any_run_is_drawn_without_warnings(experiment, tmp_path):
    run = funcnn.run(experiment)
    for picture in SOLO:
        assert isinstance(picture(run), Figure)
    plotting.save(plotting.decision_surface(run), tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").stat().st_size < 150_000
    assert isinstance(plotting.network(run.params), Figure)


@pytest.mark.parametrize(
    "experiment",
    [
        Experiment(epochs=700, seed=range(9)),
        Experiment(epochs=30, lr=(0.01, 0.1, 1.0)),
        Experiment(act="none", lr=0.4, epochs=30, seed=range(12)),  # some diverge
        Experiment(act="none", lr=10, seed=range(3)),  # all diverge, at once
        Experiment(act="relu", epochs=900, seed=range(3)),  # two die, one learns down to 1e-31
    ],
)
def test_any_ensemble_is_drawn_without_warnings(experiment, tmp_path):
    run = funcnn.run(experiment)
    for k in (0, 2):
        figure = plotting.learning_band(run, k, reference=[(0, 0.3), (20, 0.0)])
        assert isinstance(figure, Figure)
    plotting.save(figure, tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").stat().st_size < 60_000


def test_learning_curve_shows_the_history(learned):
    top, bottom = plotting.learning_curve(learned).axes
    epoch, loss = top.get_lines()[0].get_data()
    history = learned.history
    assert len(epoch) <= plotting.POINTS < len(history.epoch)
    assert np.array_equal(loss, history.loss[epoch])
    assert (epoch[0], epoch[-1]) == (0, 1999)
    assert (loss.min(), loss.max()) == (history.loss.min(), history.loss.max())
    assert top.get_yscale() == "log"
    x, y = bottom.get_lines()[0].get_data()
    assert np.array_equal(y, 100 * history.accuracy[x])


def test_thinning_keeps_every_spike(learned):
    loss = np.full(9000, 0.25)
    spikes = [17, 4321, 8888]
    loss[spikes] = [3.0, 2e-5, 7.0]
    epoch, shown = plotting.learning_curve(lengthened(learned, loss)).axes[0].get_lines()[0].get_data()
    assert set(spikes) <= set(epoch)
    assert shown.min() == 2e-5


def test_divergence_is_marked_at_its_epoch_and_its_last_loss_is_shown(learned):
    loss = [*np.full(2500, 0.25), 1e8, 1e300, np.inf]
    run = attrs.evolve(lengthened(learned, loss), params=Params([Layer(np.full((2, 1), np.nan))]))
    top, bottom = plotting.learning_curve(run).axes
    curve, mark = top.get_lines()
    assert (curve.get_xdata()[-1], curve.get_ydata()[-1]) == (2501, 1e300)
    assert list(mark.get_xdata()) == [2502, 2502]
    assert list(bottom.get_lines()[1].get_xdata()) == [2502, 2502]
    assert [text.get_text() for text in top.texts] == ["diverged at epoch 2502"]


def test_death_is_marked(tmp_path):
    run = funcnn.run(WEIRD["dead"])
    assert plotting.learning_curve(run).axes[0].texts[0].get_text() == "dead since epoch 0"


def test_one_epoch_is_seen_as_a_point():
    (line,) = plotting.learning_curve(funcnn.run(WEIRD["one epoch"])).axes[0].get_lines()
    assert line.get_marker() == "o"


def test_a_loss_of_zero_is_drawn_at_the_bottom_and_labelled(learned):
    axes = plotting.learning_curve(lengthened(learned, [0.5, 0.1, 0.0])).axes[0]
    shown = axes.get_lines()[0].get_ydata()
    assert list(shown[:2]) == [0.5, 0.1]
    assert shown[2] == axes.get_yticks()[0] > axes.get_ylim()[0]
    assert "≤" in axes.get_yticklabels()[0].get_text()
    assert isinstance(plotting.learning_curve(lengthened(learned, [0.0, 0.0])), Figure)


def test_learning_band_shows_member_quantiles_and_reference(ensemble):
    report = [(0, 0.4), (500, 0.25)]
    (axes,) = plotting.learning_band(ensemble, 4, reference=report).axes
    history = ensemble.history
    epoch, loss = drawn(axes, "seed 4")
    assert np.array_equal(loss, history.loss[epoch, 4])
    epoch, median = drawn(axes, "median")
    assert np.array_equal(median, np.median(history.loss[epoch], axis=1))
    assert np.array_equal(drawn(axes, "report"), np.transpose(report))
    (band,) = (one for one in axes.collections if isinstance(one, FillBetweenPolyCollection))
    low, high = np.quantile(history.loss[epoch], (0.1, 0.9), axis=1)
    assert np.isin(low, band.get_paths()[0].vertices[:, 1]).all()
    assert np.isin(high, band.get_paths()[0].vertices[:, 1]).all()


def test_learning_band_may_be_of_other_members_than_the_one_that_is_drawn(ensemble):
    (axes,) = plotting.learning_band(ensemble, 8, among=slice(5)).axes
    epoch, loss = drawn(axes, "seed 8")
    assert np.array_equal(loss, ensemble.history.loss[epoch, 8])
    epoch, median = drawn(axes, "median")
    assert np.array_equal(median, np.median(ensemble.history.loss[epoch, :5], axis=1))
    assert axes.collections[0].get_label() == "10–90 % of 5"


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"seed": (3, 4), "data_seed": (3, 0)}, "seed 4, data seed 0"),
        ({"seed": (3, 4), "data_seed": (3, 4)}, "seed 4"),
        ({"data_seed": (3, 4)}, "data seed 4"),
        ({"data_seed": (3, 14)}, "data seed 14"),
        ({"data": "xor", "seed": (3, 4), "data_seed": (3, 0)}, "seed 4"),
        ({"data": "xor", "data_seed": (3, 0)}, "member 1"),
        ({"lr": (0.1, 0.2)}, "lr 0.2"),
    ],
)
def test_learning_band_names_a_member_by_what_is_its_own(fields, label):
    run = funcnn.run(Experiment(**{"data": "linear", "epochs": 3, **fields}))
    figure = plotting.learning_band(run, 1)
    assert np.array_equal(drawn(figure.axes[0], label)[1], run.history.loss[:, 1])
    (legend,) = figure.legends
    assert figure.bbox.x0 <= legend.get_window_extent().x0 < legend.get_window_extent().x1 <= figure.bbox.x1


def test_learning_band_says_how_many_diverged(ensemble):
    loss = ensemble.history.loss.copy()
    loss[300:, [2, 5]] = np.nan
    accuracy = np.where(np.isnan(loss), np.nan, 0.5)
    run = attrs.evolve(ensemble, history=attrs.evolve(ensemble.history, loss=loss, accuracy=accuracy))
    (axes,) = plotting.learning_band(run, 0).axes
    assert axes.collections[0].get_label() == "10–90 % of 7, 2 diverged"
    epoch, median = drawn(axes, "median")
    assert np.array_equal(median, np.nanmedian(loss[epoch], axis=1))


def test_ground_truth_marks_what_is_wrong(learned):
    params = Params([Layer(np.array([[0.0], [1.0]]), act="none")])  # predicts 1 where x2 > 0.5
    run = attrs.evolve(learned, params=params)
    figure = plotting.ground_truth(run)
    left, right = figure.axes
    x, y = run.test.x, run.test.y[:, 0]
    for c in (0, 1):
        assert np.array_equal(np.transpose(drawn(left, f"class {c}")), x[y == c])
        assert np.array_equal(np.transpose(drawn(right, f"class {c}")), x[(x[:, 1] > 0.5) == c])
    assert np.array_equal(np.transpose(drawn(right, "wrong")), x[(x[:, 1] > 0.5) != y])
    loss, accuracy = funcnn.scores(run)
    title = figure.get_suptitle().replace("\N{NO-BREAK SPACE}", " ").replace("\n", " ")
    assert title == f"xor, none, loss {loss:.5f}, accuracy {100 * accuracy:.2f} %"
    markers = {line.get_marker() for line in left.get_lines()}
    assert len(markers) == 2, "classes differ in shape, not in colour alone"


def test_ground_truth_marks_what_is_not_finite():
    run = funcnn.run(WEIRD["diverged at once"])
    right = plotting.ground_truth(run).axes[1]
    assert np.array_equal(np.transpose(drawn(right, "not finite")), run.test.x)
    assert np.array_equal(np.transpose(drawn(right, "wrong")), run.test.x)


def test_decision_surface_has_its_line_where_the_output_is_a_half(learned):
    params = Params([Layer(np.array([[0.0], [1.0]]), act="none")])
    axes = plotting.decision_surface(attrs.evolve(learned, params=params)).axes[0]
    assert np.allclose(axes.collections[1].get_paths()[0].vertices[:, 1], 0.5)
    assert np.array_equal(np.transpose(drawn(axes, "class 1")), learned.train.x[learned.train.y[:, 0] == 1])


def test_several_outputs_are_drawn_too(learned):
    data = Dataset(learned.train.x, np.eye(3)[np.arange(21) % 3], "three")
    params = funcnn.init((2, 4, 3), seed=1)
    run = attrs.evolve(learned, params=params, train=data, test=data)
    assert isinstance(plotting.decision_surface(run), Figure)
    assert len(plotting.ground_truth(run).axes[0].get_lines()) == 3
    assert isinstance(plotting.network(params), Figure)


def test_crowds_long_logs_and_odd_names_are_drawn(tmp_path):
    run = funcnn.run(Experiment("linear", epochs=3000, log_every=1))
    rng = np.random.default_rng(0)
    crowd = Dataset(rng.uniform(size=(10_000, 2)), rng.integers(2, size=(10_000, 1)) * 1.0, "a$b_c$ d" * 9)
    run = attrs.evolve(run, train=crowd, test=crowd)
    for picture in SOLO:
        plotting.save(picture(run), tmp_path / "picture.svg")
        assert (tmp_path / "picture.svg").stat().st_size < 700_000, picture  # as vectors: 2 MB


def test_network_shows_the_weights(learned):
    axes = plotting.network(learned.params, title="a title").axes[0]
    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    for layer, one in zip(learned.params.layers, lines, strict=True):
        assert sorted(one.get_array()) == sorted(layer.w.ravel())
        widths = np.asarray(one.get_linewidths())
        assert np.array_equal(np.argsort(widths), np.argsort(np.abs(one.get_array())))
    assert axes.get_title() == "a title"


def test_a_wide_layer_ends_in_an_ellipsis():
    axes = plotting.network(funcnn.init((2, 30, 1))).axes[0]
    assert "⋮ 30 units" in [text.get_text() for text in axes.texts]
    units = [len(one.get_offsets()) for one in axes.collections if not isinstance(one, LineCollection)]
    assert units == [2, plotting.UNITS - 1, 1]


def test_activation_and_its_derivative():
    own = Activation("swish", lambda z: z / (1 + np.exp(-z)), lambda z, a: np.gradient(a, z))
    left, right = plotting.activation("sigmoid", "relu", own).axes
    z, a = drawn(left, "sigmoid")
    assert np.array_equal(a, 1 / (1 + np.exp(-z)))
    assert np.array_equal(right.get_lines()[0].get_ydata(), a * (1 - a))
    assert isinstance(plotting.activation(*funcnn.ACTIVATIONS), Figure)
    for axes in plotting.activation(*["relu"] * 20).axes:  # more than there are colours, and none looks as another
        assert len({(line.get_color(), line._unscaled_dash_pattern) for line in axes.get_lines()}) == 20


def test_gradient_norms_show_zeros_at_the_bottom(learned):
    (axes,) = plotting.gradient_norms(learned).axes
    for layer, label in enumerate(("hidden 1", "hidden 2", "output")):
        assert np.array_equal(drawn(axes, label), (learned.history.logged, learned.history.grad_norm[:, layer]))
    (axes,) = plotting.gradient_norms(funcnn.run(WEIRD["dead"])).axes
    assert axes.get_yticklabels()[0].get_text() == "0"
    assert set(drawn(axes, "output")[1]) == {axes.get_yticks()[0]}
    assert len({line.get_linestyle() for line in axes.get_lines()}) > 1


def test_mistakes_are_explained(learned, ensemble, tmp_path):
    wide = Dataset(np.zeros((4, 3)), np.zeros((4, 1)), "wide")
    flat = attrs.evolve(learned, train=wide, test=wide)
    for picture in (plotting.ground_truth, plotting.decision_surface):
        with pytest.raises(ValueError, match="2 features in the plane, but wide has 3"):
            picture(flat)
    for picture in SOLO:
        with pytest.raises(ValueError, match=r"ensemble of 9: pick one, funcnn\.member\(run, k\)"):
            picture(ensemble)
    with pytest.raises(ValueError, match="learning_curve"):
        plotting.learning_band(learned)
    with pytest.raises(ValueError, match="k must be below 9, the number of members, got 9"):
        plotting.learning_band(ensemble, 9)
    with pytest.raises(ValueError, match="network draws one network, these are 9"):
        plotting.network(ensemble.params)
    with pytest.raises(ValueError, match="at least one"):
        plotting.activation()
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        plotting.activation("rellu")
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf, got .*picture\.bmp"):
        plotting.save(plotting.activation("relu"), tmp_path / "picture.bmp")
    assert not list(tmp_path.iterdir())


def test_the_same_picture_is_the_same_bytes(learned, ensemble, tmp_path):
    pictures = [lambda p=picture: p(learned) for picture in SOLO[1:]]
    for picture in [*pictures, lambda: plotting.learning_band(ensemble), lambda: plotting.network(learned.params)]:
        one, two = picture(), picture()
        for suffix in plotting.METADATA:
            path = tmp_path / f"picture{suffix}"
            contents = []
            for figure in (one, one, two) if suffix == ".svg" else (one, two):
                plotting.save(figure, path)
                contents.append(path.read_bytes())
            assert len(set(contents)) == 1
            assert not any(word in contents[0] for word in (b"Matplotlib v", b"Software", b"CreationDate", b"dc:date"))


SCRIPT = """
import sys, funcnn
assert "matplotlib" not in sys.modules
from funcnn import plotting
run = funcnn.load(sys.argv[1] + "/run.npz")
for name, picture in plotting.PICTURES.items():
    for suffix in ("png", "svg"):
        plotting.save(picture(run), f"{sys.argv[1]}/{name}.{suffix}")
assert "matplotlib.pyplot" not in sys.modules
"""


def test_another_process_writes_the_same_bytes_from_the_file_and_pyplot_stays_out(learned, tmp_path):
    funcnn.save(tmp_path / "run.npz", learned)
    subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT, tmp_path], check=True)
    for name, picture in plotting.PICTURES.items():
        for suffix in ("png", "svg"):
            plotting.save(picture(learned), tmp_path / f"here.{suffix}")
            assert (tmp_path / f"here.{suffix}").read_bytes() == (tmp_path / f"{name}.{suffix}").read_bytes()


def test_settings_are_neither_changed_nor_heeded(learned, tmp_path):
    plotting.save(plotting.learning_curve(learned), tmp_path / "plain.png")
    with matplotlib.rc_context({"lines.linewidth": 9.0, "font.size": 30.0, "axes.grid": False, "svg.hashsalt": "x"}):
        before = dict(matplotlib.rcParams)
        for picture in SOLO:
            figure = picture(learned)
        plotting.save(plotting.learning_curve(learned), tmp_path / "set.png")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "set.png").read_bytes()
    assert isinstance(figure, Figure)


def test_the_style_is_there_for_any_figure():
    with matplotlib.style.context("funcnn.plotting.funcnn"):
        assert matplotlib.rcParams["svg.hashsalt"] == "funcnn"


def test_pictures_name_functions_of_this_module():
    assert {name: getattr(plotting, name) for name in plotting.PICTURES} == dict(plotting.PICTURES)


# --- regions of several classes --------------------------------------------------------------------------------------


def over_plane(learned, params, y, how=None):
    """Return a run with this network, and with two training points: little is drawn over the plane."""
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    data = Dataset(x, y, "plane")
    return attrs.evolve(learned, params=params, train=data, test=data, decision=how or funcnn.decision("half_sse", y))


def classes_of_pixels(figure, points):
    """Return which class's tint the picture has at points of the plane, or None."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3]
    columns, rows = np.floor(figure.axes[0].transData.transform(points)).astype(int).T
    tints = [[round(255 * part) for part in style.tint(color, 0.3)] for color, _ in plotting.CLASSES]
    return [
        next((c for c, one in enumerate(tints) if np.abs(pixel.astype(int) - one).max() <= 1), None)
        for pixel in pixels[rows, columns]
    ]


#: Rows that take (x₁, x₂) to the outputs, their biases, and targets that say how classes are told.
PLANES = {
    "no class between": ([[-9.0, 0.0, 9.0], [-3.0, 0.0, 3.0]], [5.0, -9.0, -5.0], np.eye(3)[[0, 2]]),
    "three that meet": ([[-4.0, 3.0, 1.0], [1.0, -4.0, 3.0]], [0.5, 0.6, -1.7], np.eye(3)[[0, 1]]),
    "two, one-hot": ([[-4.0, 4.0], [1.0, 1.0]], [1.3, -1.3], np.eye(2)),
    "thresholds": ([[5.0, 1.0, 0.0], [1.0, -6.0, 0.0]], [-2.0, 2.5, 9.0], np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])),
    "steep": ([[90.0, 0.0, -70.0], [30.0, 50.0, 0.0]], [-60.0, -20.0, 30.0], np.eye(3)[[0, 1]]),
}


@pytest.mark.parametrize("name", PLANES)
def test_each_class_has_its_own_region_and_no_other(name, learned):
    w, b, y = PLANES[name]
    run = over_plane(learned, Params([Layer(np.array(w), np.array([b]), "sigmoid" if name == "steep" else "none")]), y)

    def label(points):
        outputs = points @ w + b
        outputs = 1 / (1 + np.exp(-outputs)) if name == "steep" else outputs
        largest = outputs.argmax(axis=-1)
        return largest if name != "thresholds" else (outputs > 0.5) @ [1, 2, 4] % len(plotting.CLASSES)

    points = np.random.default_rng(0).uniform(0.03, 0.97, size=(3000, 2))
    expected = label(points)
    around = points + 0.008 * np.array([[[i, j]] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    near = (label(around) != expected).any(axis=0)  # within two pixels or three, which may be either's
    found = np.array(classes_of_pixels(plotting.decision_surface(run), points))
    assert (found[~near] == expected[~near]).all()
    assert near.mean() < 0.1
    assert set(found.tolist()) <= {None, *expected.tolist()}


def test_borders_of_regions_have_no_stairs(learned):
    w, b, y = PLANES["no class between"]
    run = over_plane(learned, Params([Layer(np.array(w), np.array([b]), "none")]), y)
    regions = plotting.decision_surface(run).axes[0].collections
    assert len(regions) == 2  # class 1 has none
    for region in regions:
        vertices = region.get_paths()[0].vertices
        inner = vertices[((vertices > -0.07) & (vertices < 1.07)).all(axis=1)]
        assert len(inner) > 50
        np.testing.assert_allclose(inner @ [18.0, 6.0], 10.0, atol=1e-9)  # where the outputs 0 and 2 are equal


def test_classes_between_which_nothing_decides_are_the_first_of_them(learned):
    run = over_plane(learned, Params([Layer(np.zeros((2, 3)), None, "none")]), np.eye(3)[[0, 2]])
    figure = plotting.decision_surface(run)
    assert set(classes_of_pixels(figure, np.random.default_rng(0).uniform(0.1, 0.9, size=(99, 2)))) == {0}


def test_a_wide_layer_over_the_plane_takes_little_memory(learned):
    params = funcnn.init((2, 2000, 3), seed=0, act="tanh", scheme="glorot")
    run = over_plane(learned, params, np.eye(3)[[0, 2]])
    tracemalloc.start()
    plotting.decision_surface(run)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6  # all at once: 400 MB and more
