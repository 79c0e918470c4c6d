"""``funcnn run``: train one network and show what came of it."""

import contextlib
import functools
import shlex
from pathlib import Path
from typing import Any

import click

from .config import configured
from .edge import Listed, load_run, logged, progress, users_mistakes
from .plot import draw, pictures
from .process import folder, note

#: What options take whose names may have numbers of their own.
NUMBERED = "NAME[:NUMBER,…]"
#: Options whose names are not their fields'.
OPTIONS = {"start": "params", "scheme": "init"}


@click.command()
@click.argument("data", required=False)
@click.option(
    "--act",
    metavar="NAME[,NAME…]",
    type=Listed(str, "relu,relu,sigmoid", single=True),
    help="Activation, or one per layer; funcnn list says which, here and below.  [default: sigmoid]",
)
@click.option("--out-act", metavar="NAME", help="Activation of the last layer, if another.")
@click.option("--hidden", type=Listed(int, "3,3", single=False), help="Units of each hidden layer.  [default: 3,3]")
@click.option("--bias/--no-bias", default=None, help="Give layers a bias.  [default: no-bias]")
@click.option("--init", "--scheme", "scheme", metavar=NUMBERED, help="How weights are drawn.  [default: normal]")
@click.option("--bias-init", metavar=NUMBERED, help="How biases are drawn, with --bias.  [default: zeros]")
@click.option("--loss", metavar="NAME", help="The objective.  [default: half_sse]")
@click.option("--optimizer", metavar=NUMBERED, help="The rule of the updates, as momentum:0.9.  [default: sgd]")
@click.option("--lr", type=float, help="Learning rate.  [default: 0.1]")
@click.option(
    "--schedule", metavar=NUMBERED, help="Of the learning rate over updates, as cosine:189000.  [default: constant]"
)
@click.option("--clip", type=float, help="The largest norm of a gradient.  [default: none]")
@click.option("--l2", type=float, help="Weight decay λ, of ½ λ Σ w².  [default: 0]")
@click.option("--epochs", type=int, help="Passes over the data.  [default: 9000]")
@click.option("--batch-size", help="Samples per update, or full.  [default: 1]")
@click.option("--shuffle", is_flag=True, default=None, help="Take the samples in a new order each epoch.")
@click.option("--seed", type=int, help="Of the initial weights.  [default: 14]")
@click.option("--data-seed", type=int, help="Of the data.  [default: 0]")
@click.option("--engine", metavar="NAME", help="What trains.  [default: auto]")
@click.option("--log-every", type=int, help="Epochs between two lines of the log.  [default: 500]")
@click.option("--target", multiple=True, metavar="COLUMN", help="What of a table is to be learnt, by name or number.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="A column of a table that is not to be taken.")
@click.option("--missing", help="Where cells are missing: refuse, drop the rows, or take the mean.  [default: refuse]")
@click.option("--header/--no-header", default=None, help="Whether a table begins with names.  [default: found out]")
@click.option("--delimiter", help="What stands between cells.  [default: found out]")
@click.option("--decimal", help="The decimal mark, . or ,  [default: .]")
@click.option("--encoding", help="Of a table's text.  [default: utf-8]")
@click.option("--test", type=float, help="Share of a file's rows that is kept for the test.  [default: 0; tables: 0.2]")
@click.option("--validation", type=float, help="Share of the rest that is held back.  [default: 0; tables: 0.1]")
@click.option(
    "--standardize/--no-standardize",
    default=None,
    help="Make inputs, and targets that are numbers, of mean 0 and deviation 1.",
)
@click.option("--patience", type=int, help="Stop so many epochs after the lowest validation loss.  [tables: 30]")
@click.option("--class-weight", help="balanced: every class counts alike, however many samples it has.")
@click.option(
    "--params",
    "start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Start from the weights in this file: NPZ as saved, or JSON {"weights": [[[…]]]}.',
)
@click.option(
    "--resume",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Go on with the run in this file, for so many --epochs more; all else stays what it was.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take what no option says from this file: TOML or JSON of fields, a run's summary.json or run.npz.",
)
@click.option("--log-json", type=click.Path(dir_okay=False, path_type=Path), help="Append a JSON line an epoch here.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write run, tables and pictures here.")
@click.option("--plots/--no-plots", default=True, help="With --out: draw the pictures.  [default: plots]")
@click.option("--quiet", is_flag=True, help="Print the result only.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON instead.")
def run(
    out: Path | None, plots: bool, quiet: bool, as_json: bool, config: Path | None, log_json: Path | None, **fields: Any
) -> None:
    """Train a network on DATA and print its log, its predictions and what went wrong.

    DATA is a toy set (funcnn list says which) or a file: a table of text (CSV, TSV, …) with --target, NPZ with x and y,
    NPY, MNIST's IDX, Parquet. For files what no option says is what does well on most tables: two hidden layers, Adam,
    a validation part that says when to stop; a line on stderr says the whole command that it comes to.

    The losses of the log are means over an epoch, each sample measured just before its own update. The predictions and
    the last line are those of the final weights on the test set.
    """
    with users_mistakes():
        from . import listing

        given = {name: value for name, value in fields.items() if value not in (None, ())}
        given = {**(configured(config) if config else {}), **given}
        if "data" not in given:
            raise click.UsageError("Missing argument 'DATA', which --config may name instead.")
        epochs, train = _resumed(**given) if "resume" in given else _described(**given)
        with folder(out) if out else contextlib.nullcontext():
            if out and plots:
                pictures()  # before hours of training
            with progress(epochs, "training", hidden=quiet or as_json) as done, logged(log_json) as on_epoch:
                result = train(progress=done, on_epoch=on_epoch)
            if out:
                write(result, out, plots=plots)
        if out and not (quiet or as_json):
            note(f"wrote the run, its tables{' and its pictures' * plots} to {out}")
        if as_json:
            click.echo(listing.to_json(listing.summary(result)), nl=False)
            return
        lines = [] if quiet else [*listing.log_lines(result), *listing.test_lines(result)]
        click.echo("\n".join([*lines, listing.result_line(result), *listing.diagnosis_lines(result)]))


def _described(start: Path | None = None, **given: Any) -> tuple[int, Any]:
    """Return how many epochs the options ask for, and the function that trains them."""
    import funcnn
    from funcnn.experiments import run_on
    from funcnn.initializers import initializer_named
    from funcnn.settings import described
    from funcnn.sources import divided
    from funcnn.storage import load_params

    if str(given.get("batch_size", "full")).isdecimal():
        with contextlib.suppress(ValueError):  # of too many digits
            given["batch_size"] = int(given["batch_size"])
    drawing = {"seed", "scheme", "bias_init"} & given.keys()
    if start and drawing:
        raise click.UsageError(f"{_option(min(drawing))} cannot be given with --params: {start.name} has the weights")
    for name in ("scheme", "bias_init"):
        if given.get(name) is not None:  # in the words of the command line
            initializer_named(given[name], _option(name))
    params = load_params(start) if start else None
    given = {**(_settled(params) if params else {}), **given}
    whole = _whole(**given)
    experiment = described(funcnn.Experiment(**{**(_recipe(whole, **given) if whole else {}), **given}))
    started: dict[str, Any] = {"start": params, "start_name": click.format_filename(start.name)} if start else {}
    if whole:
        started = {"start": None, "start_name": "", **started}
        return experiment.epochs, functools.partial(run_on, experiment, divided(experiment, whole), **started)
    return experiment.epochs, functools.partial(funcnn.run, experiment, **started)


def _whole(data: str, **given: Any) -> Any:
    """Return what a file holds, read once, or None where the data are no file's."""
    import funcnn
    from funcnn.sources import is_file, is_toy, read_whole

    return None if is_toy(data) or not is_file(data) else read_whole(funcnn.Experiment(data=data, **given))


def _recipe(whole: Any, data: str, **given: Any) -> dict[str, Any]:
    """Return what is trained on a file where no option says it, and say on stderr the command that this is."""
    import funcnn
    from funcnn.recipes import FIELDS

    if given.keys() >= FIELDS:
        return {}
    fields = funcnn.recipe(whole.data)
    extra = {name: value for name, value in fields.items() if name not in given}
    note(f"{_about(whole.data)}; this is: {_command({'data': data, **given, **extra})}")
    return extra


def _about(data: Any) -> str:
    """Return what a table was taken for."""
    n, d = data.x.shape
    kind = f"{len(data.classes)} classes" if data.classes else f"{data.y.shape[1]} number{'s' * (data.y.shape[1] > 1)}"
    return f"{data.name}: {n:,} rows, {d} inputs, {kind} to learn"


def _command(fields: dict[str, Any]) -> str:
    """Return the command line that says all these fields."""
    words = ["funcnn", "run", fields["data"]]
    for name, value in fields.items():
        option = _option(name)
        if isinstance(value, bool):
            words += [] if value is False and name == "shuffle" else [option if value else f"--no-{option[2:]}"]
        elif name in ("target", "drop"):
            words += [word for one in value for word in (option, str(one))]
        elif name != "data":
            words += [option, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)


def _resumed(resume: Path, data: str, epochs: int | None = None, **others: Any) -> tuple[int, Any]:
    """Return how many epochs more are asked for of a saved run, and the function that trains them."""
    import funcnn

    before = load_run(resume)
    if others:
        raise click.UsageError(
            f"{_option(min(others))} cannot be given with --resume: the run goes on as {resume.name} began it"
        )
    if data != before.experiment.data:
        raise click.UsageError(f"{resume.name} is a run on {before.experiment.data}, not on {data}")
    if epochs is None:
        raise click.UsageError("--resume needs --epochs: how many more")
    return epochs, functools.partial(funcnn.resume, before, epochs)


def _option(name: str) -> str:
    """Return what an argument is called on the command line."""
    return "--" + OPTIONS.get(name, name).replace("_", "-")


def _settled(params: Any) -> dict[str, Any]:
    """Return the fields of the experiment that the network in a file settles, unless options say otherwise."""
    acts = tuple(layer.act for layer in params.layers)
    return {
        "hidden": tuple(layer.w.shape[-1] for layer in params.layers[:-1]),
        "act": acts[0] if len(set(acts)) == 1 else acts,
        "bias": all(layer.b is not None for layer in params.layers),
    }


def write(result: Any, out: Path, *, plots: bool) -> None:
    """Write everything about a run into a folder, each file whole or not at all."""
    import funcnn
    from funcnn.storage import write_file

    from . import listing

    funcnn.save(out / "run.npz", result)
    write_file(out / "history.csv", listing.history_csv(result).encode())
    write_file(out / "predictions.csv", listing.predictions_csv(result).encode())
    write_file(out / "summary.json", listing.to_json(listing.summary(result)).encode())
    if plots:
        draw(result, out, "png")
