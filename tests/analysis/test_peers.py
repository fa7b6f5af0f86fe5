"""Peers: they meet exactly what our environments show, and what they did is kept and compared rightly."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neucb import load_results, sweep
from neucb.benchmarks import peers
from neucb.benchmarks.page import page
from neucb.benchmarks.peers import PEERS, Arms, Game, Peer, find_peer, vowpal
from neucb.benchmarks.ranking import duels, ranks
from neucb.benchmarks.tournament import Player, of_agent, of_peer, read, run_tournament
from neucb.cli import main
from neucb.core.errors import InputError
from neucb.environments.classification import ClassificationVectorEnv, load
from neucb.environments.preprocessing import Encoded, Preprocessing
from neucb.environments.table import Column, Table
from neucb.runs.api import prepare
from neucb.statistics import final_scores

HERE = "numpy"  # a library that is there


def fake(name: str, seen: list[Game], arm: int = 0) -> Peer:
    """Return a peer that plays one arm and takes 2 s and its arm."""

    def play(game: Game) -> tuple[Arms, float]:
        seen.append(game)
        return np.full(game.rounds, arm), 2.0 + arm

    return Peer(name, HERE, f"arm {arm}", play)


def run_main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["neucb", "peers", *words])
    with pytest.raises(SystemExit) as done:
        main()
    return int(str(done.value.code))


def test_peers_meet_the_rows_that_the_environment_shows(tmp_path: Path) -> None:
    seen: list[Game] = []
    frame, failed = run_tournament(
        [of_peer(fake("fake", seen))], ["iris", "wine"], load, (3, 8), 160, tmp_path / "a.csv"
    )
    assert not failed
    for (_, row), game in zip(frame.iterrows(), seen, strict=True):
        encoded = load(str(row["dataset"]))
        env = ClassificationVectorEnv(encoded, horizon=min(160, encoded.table.rows))
        context, _ = env.reset(seed=[int(str(row["seed"]))])
        regret = 0.0
        for t in range(env.horizon):
            np.testing.assert_array_equal(context[0], game.x[t])
            context, _, _, truncated, info = env.step(np.array([0]))
            assert info["label"][0] == game.y[t]
            regret += float(info["expected_loss"][0] - info["best_loss"][0])
        assert truncated.all()
        assert (row["round"], row["regret"]) == (env.horizon, regret)
    assert [one.rounds for one in seen] == [150, 150, 160, 160]


def test_an_agent_has_the_regret_of_a_sweep(tmp_path: Path) -> None:
    spec = tmp_path / "two.toml"
    spec.write_text(
        '[experiment]\nname = "two"\nrounds = 120\ndatasets = ["iris", "wine"]\nreporting_seeds = 2\n'
        '[[agents]]\nname = "squarecb"\n[[agents]]\nname = "linucb"\n'
    )
    log = sweep(spec, tmp_path, jobs=1)
    players = [of_agent("squarecb"), of_peer(fake("fake", []))]
    frame, _ = run_tournament(players, ["iris", "wine"], load, (0, 1), 120, tmp_path / "a.csv")
    ours = final_scores(frame[frame["agent_label"] == "squarecb"])
    theirs = final_scores(log[log["agent_label"] == "squarecb"])
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    fixed = log[log["round"] == 120].groupby(["dataset", "seed"])["best_fixed_arm_regret"].first()
    assert (frame.groupby(["dataset", "seed"])["best_fixed_arm_regret"].first() == fixed).all()
    standing = ranks(frame, load_results(tmp_path / "two"))
    assert set(standing.index) == {"squarecb", "fake", "linucb"}
    assert standing.index[-1] == "fake"
    assert standing.loc["fake", "rounds_per_second"] == 60.0  # 120 rounds in 2 s
    assert standing["rounds_per_second"].isna().to_dict() == {
        "squarecb": False,
        "fake": False,
        "linucb": True,
    }


def test_an_agent_takes_settings() -> None:
    game = Game(load("wine"), 178, 0)
    defaults, large = of_agent("squarecb"), of_agent("squarecb:gamma=1e6:regularization=2")
    assert (large.label, large.settings) == (
        "squarecb:gamma=1e6:regularization=2",
        "gamma=1e6, regularization=2",
    )
    assert defaults.settings == "defaults"
    job = prepare("squarecb", game.env, seeds=[0], settings={"gamma": 1e6, "regularization": 2.0})
    job.play()
    assert large.play(game)[0] == job.log.sums["regret"][0] != defaults.play(game)[0]
    for words in ("squarecb:gama=1", "squarecb:gamma", "squarecb:gamma=big", "squarecbb"):
        with pytest.raises(InputError):
            of_agent(words)


def test_what_is_in_the_file_is_not_played_again(tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    seen: list[Game] = []
    run_tournament([of_peer(fake("a", seen))], ["iris"], load, (0, 1), 50, out)
    first, _ = run_tournament(
        [of_peer(fake("a", seen)), of_peer(fake("b", seen))], ["iris"], load, (0, 1, 2), 50, out
    )
    assert [game.seed for game in seen] == [0, 1, 0, 1, 2, 2]
    pd.testing.assert_frame_equal(read(out), first, check_dtype=False)
    again, _ = run_tournament([of_peer(fake("a", seen, arm=1))], ["iris"], load, (0, 1), 50, out)
    assert len(seen) == 8  # other settings
    assert again["settings"].tolist() == ["arm 1"] * 2
    assert read(out)["settings"].value_counts().to_dict() == {"arm 0": 4, "arm 1": 2}  # a's seed 2 and b's
    run_tournament([of_peer(fake("a", seen, arm=1))], ["iris"], load, (0,), 60, out)
    assert len(seen) == 9  # other rounds


def test_other_rows_of_a_name_are_played_again(tmp_path: Path) -> None:
    out, seen = tmp_path / "a.csv", list[Game]()

    def settings(encoding: Preprocessing, source: str) -> str:
        encoded = load("iris", preprocessing=encoding)
        encoded = replace(encoded, table=replace(encoded.table, source=source))
        frame, _ = run_tournament([of_peer(fake("a", seen))], ["iris"], lambda _: encoded, (0,), 50, out)
        return str(frame["settings"].item())

    worlds: list[tuple[Preprocessing, str]] = [
        ("standard", "openml"),
        ("paper", "openml"),
        ("paper", "bundled"),
    ]
    assert [settings(*world) for world in worlds for _ in range(2)] == [
        *["arm 0"] * 2,
        *["arm 0; paper encoding"] * 2,
        *["arm 0; paper encoding; bundled rows"] * 2,
    ]
    assert len(seen) == 3


def test_what_ends_or_fails_loses_nothing(tmp_path: Path) -> None:
    def fail(game: Game) -> tuple[float, float]:
        if game.seed == 2:
            raise KeyboardInterrupt
        raise RuntimeError("no\nluck")

    out = tmp_path / "a.csv"
    players = [of_peer(fake("good", [])), Player("bad", HERE, "1", "", fail)]
    frame, failed = run_tournament(players, ["iris"], load, (0, 1), 50, out)
    assert failed == [f"bad on iris, seed {seed}: RuntimeError: no luck" for seed in (0, 1)]
    assert frame["agent_label"].tolist() == ["good", "good"]
    with pytest.raises(KeyboardInterrupt):
        run_tournament(players, ["iris"], load, (1, 2, 3), 50, out)
    assert read(out)["seed"].tolist() == [0, 1, 2]
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"b\.csv is not a file of `neucb peers`"):
        run_tournament(players, ["iris"], load, (0,), 50, tmp_path / "b.csv")


def test_duels_count_sets_tests_and_times() -> None:
    def rows(label: str, dataset: str, regrets: list[float], seconds: float) -> list[dict[str, object]]:
        return [
            {
                "agent_label": label,
                "dataset": dataset,
                "seed": s,
                "round": 100,
                "regret": r,
                "cpu_seconds": seconds,
            }
            for s, r in enumerate(regrets)
        ]

    frame = pd.DataFrame(
        rows("ours", "p", [10, 20, 30], 1.0)
        + rows("ours", "q", [10, 20, 30], 2.0)
        + rows("ours", "r", [5, 5, 5], 1.0)
        + rows("peer", "p", [20, 30, 40.5], 4.0)  # ten more on every seed
        + rows("peer", "q", [9, 25, 20], 4.0)  # less, but not surely
        + rows("peer", "r", [5, 5, 5], 9.0)
    )
    (duel,) = duels(frame, ["ours"])
    assert (duel.own, duel.peer, duel.less, duel.more, duel.balance) == ("ours", "peer", ("q",), 1, -1)
    assert duel.times == (4.0, 2.0, 9.0)
    text = page(frame.assign(library="lib", version="1", settings="s"), ["ours"])
    assert "| peer | 1 : 1 | -1 | 4.00 (2.00 - 9.00) | q |" in text
    assert "| p | 20.0 | 30.2 |" in text
    assert "| ours | 1.5 | 75 |" in text  # 900 rounds in 12 s


@pytest.mark.peers
@pytest.mark.parametrize("name", PEERS)
def test_installed_peers_learn(name: str) -> None:
    peer = PEERS[name]
    if peer.missing:
        pytest.skip(peer.missing)
    game = Game(load("wine"), 178, 0)
    arms, seconds = peer.play(game)
    assert arms.shape == (178,)
    assert set(arms) <= {0, 1, 2}
    assert game.regret(arms) < 80 < 178 * 2 / 3  # uniform play
    assert seconds > 0.0
    np.testing.assert_array_equal(peer.play(game)[0], arms)


@pytest.mark.peers
def test_vowpal_wabbit_learns_every_feature_alone() -> None:
    """The arm is told by which one of eight features is set; with numbers for names four are one."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 8, 1500)
    columns = tuple(Column(f"c{j}", (kind == j).astype(float)) for j in range(8))
    table = Table("eight", columns, kind % 4, tuple("abcd"), "test")
    game = Game(Encoded(np.eye(8, dtype=np.float32)[kind], kind % 4, table, "standard"), 1500, 0)
    assert all(f" x{one}:1\n" in game.vowpal_text for one in range(8))
    for name in ("vw-squarecb", "vw-epsilon"):
        if PEERS[name].missing is None:
            assert game.regret(PEERS[name].play(game)[0]) < 300  # about 1,100 if it takes four for one


def test_names_of_peers() -> None:
    own = find_peer("vw: --cb_explore_adf -l 1")
    assert (own.name, own.settings) == ("vw: --cb_explore_adf -l 1", "--cbify K --cb_explore_adf -l 1")
    assert vowpal("x", "-l 1").library == "vowpalwabbit"
    for name, words in (("vw-square", "did you mean 'vw-squarecb'"), ("vw:squarecb", "come options")):
        with pytest.raises(InputError, match=words):
            find_peer(name)


def test_the_command_says_who_is_missing_and_who_is_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = Peer("absent", "no_such_library", "", fake("", []).play)
    table = {"absent": absent, "good": fake("good", [])}
    monkeypatch.setattr(peers, "PEERS", table)
    out = str(tmp_path / "deep" / "a.csv")
    words = ("--dataset", "iris", "--rounds", "60", "--agent", "squarecb", "--out", out)
    assert run_main(monkeypatch, *words, "--peer", "absent") == 2
    assert capsys.readouterr().err.splitlines() == [
        "neucb: no_such_library is not installed (pip install 'neucb[peers]')",
        "neucb: error: no peer is installed; install them: pip install 'neucb[peers]'",
    ]
    assert run_main(monkeypatch, *words, "--page", str(tmp_path / "new" / "page.md")) == 0
    assert "## Against squarecb" in (tmp_path / "new" / "page.md").read_text()
    said = capsys.readouterr()
    assert said.err.startswith("neucb: no_such_library is not installed")
    assert "against squarecb" in said.out
    assert "0 : 1" in said.out
    assert read(Path(out))["agent_label"].tolist() == ["good", "squarecb"]
    assert run_main(monkeypatch, *words, "--peer", "good,good") == 2
    assert "good is named twice" in capsys.readouterr().err


def test_wrong_shapes_are_failures(tmp_path: Path) -> None:
    short = Peer("short", HERE, "", lambda game: (np.zeros(3, np.int64), 1.0))
    _, failed = run_tournament([of_peer(short)], ["iris"], load, (0,), 50, tmp_path / "a.csv")
    assert failed == ["short on iris, seed 0: ValueError: 3 arms in 50 rounds"]
