"""What a person reads of benchmark and verify, and the exit code."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import host
from tests.unit.test_benchmark import ALL, MAIN, report, result
from usenet.actions.hardware import benchmark, verify
from usenet.actions.hardware.benchmark import Bench, Measured
from usenet.actions.hardware.verify import Verified
from usenet.adapters import stack
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.cli import main
from usenet.domain.hardware import benchmark as domain
from usenet.domain.hardware.benchmark import Change, Result
from usenet.domain.hardware.proof import EXTRA, OWN, Finding, Proof
from usenet.domain.hardware.transcoding import SOFTWARE
from usenet.domain.plan import Encoder

CARD = Encoder(kind="vaapi", gpu="0000:00:02.0", driver="i915", device="/dev/dri/renderD128")


def finding(state: str, encoder: Encoder = CARD, *, where: str = OWN, reason: str = "", proofs=()) -> Finding:
    return Finding(
        service="jellyfin", encoder=encoder, image="i:1", state=state, where=where, reason=reason, proofs=proofs
    )


FAILURE = Proof(action="encode", codec="h264", state="failed", reason="No VA display found")
SUCCESS = Proof(action="encode", codec="h264", state="proven", fps=212.5, how="h264_vaapi")


def said(monkeypatch, capsys, tmp_path: Path, *findings: Finding, words=()) -> tuple[int, str, str]:
    (tmp_path / "usenet.yaml").write_text("name: x\n")
    found = Verified(findings, (), all(one.state == "proven" for one in findings))
    monkeypatch.setattr(verify, "verify", lambda home, tell: found)
    code = main.run(["--home", str(tmp_path), "hardware", "verify", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("one", "code", "out", "err"),
    [
        (finding("proven", proofs=(SUCCESS,)), 0, ["212.5", "h264_vaapi", "0000:00:02.0 transcodes"], []),
        (finding("proven", where=EXTRA), 0, ["usenet deploy"], []),
        (finding("proven", SOFTWARE), 0, ["no card was granted, and none is proven"], []),
        (
            finding("failed", reason="encode h264: No VA display found", proofs=(FAILURE,)),
            1,
            ["failed"],
            ["DOES NOT TRANSCODE in its container: encode h264: No VA", "falls back to software with: usenet deploy"],
        ),
        (finding("failed", where=EXTRA), 1, [], ["goes on with software"]),
        (finding("partly", reason="encode av1: x"), 1, [], ["works only in part; it stays: encode av1: x"]),
        (finding("unproven", reason="it does not run"), 1, ["it does not run"], ["not proven: it does not run"]),
    ],
    ids=lambda value: value.state + value.where if isinstance(value, Finding) else "",
)
def test_verify_says_what_it_means(
    monkeypatch, capsys, tmp_path: Path, *, one: Finding, code: int, out: list[str], err: list[str]
) -> None:
    found = said(monkeypatch, capsys, tmp_path, one)
    assert found[0] == code
    assert all(part in found[1] for part in out)
    assert all(part in found[2] for part in err)
    assert bool(found[2]) == bool(err)


def test_verify_as_json_is_one_document(monkeypatch, capsys, tmp_path: Path) -> None:
    code, out, err = said(monkeypatch, capsys, tmp_path, finding("failed", proofs=(FAILURE,)), words=["--json"])
    assert (code, err) == (1, "")
    assert json.loads(out)["findings"][0]["proofs"][0]["reason"] == "No VA display found"


def test_nothing_to_prove_needs_no_engine(monkeypatch, capsys, tmp_path: Path) -> None:
    (tmp_path / "usenet.yaml").write_text("name: x\n")
    rendered = stack.Rendered("x", {}, ())
    monkeypatch.setattr(stack, "load", lambda home: rendered)
    monkeypatch.setattr(verify.transcoders, "planned", lambda home: ())
    monkeypatch.setattr(verify.ours, "containers", lambda *_: pytest.fail("an engine was asked"))
    assert main.run(["--home", str(tmp_path), "hardware", "verify"]) == 0
    assert "nothing to prove" in capsys.readouterr().out


def test_no_stack_is_told(capsys, tmp_path: Path) -> None:
    assert main.run(["--home", str(tmp_path), "hardware", "verify"]) == 4
    assert "usenet deploy" in capsys.readouterr().err


def bench() -> Bench:
    cases = domain.cases((SOFTWARE,), ALL, quick=True)
    return Bench(
        host=host(),
        ffmpeg=Ffmpeg(),
        offers=ALL,
        devices=(SOFTWARE,),
        cases=cases,
        obstacles={},
        quick=True,
        notes=("software only: no GPU on this machine",),
    )


def benchmarked(monkeypatch, capsys, found: Measured, *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(benchmark, "prepare", lambda home, quick: bench())
    monkeypatch.setattr(benchmark, "run", lambda home, bench, tell: found)
    code = main.run(["hardware", "benchmark", *words])
    return code, *capsys.readouterr()


def test_benchmark_prints_figures_reasons_and_what_changed(monkeypatch, capsys) -> None:
    told = report(
        result(MAIN, 100.0, realtime=4.2, streams=3, limit="time", cpu=0.5, ssim=0.97, watts=15.2, powered="the card"),
        result("decode av1 1080p on software", reason="no time was left for it"),
    )
    changes = (Change("decode h264 1080p on software", 100.0, 80.0), Change(MAIN, 99.0, 100.0))
    found = Measured(told, "/home/x/benchmark.json", changes, other="in another image")
    code, out, _ = benchmarked(monkeypatch, capsys, found)
    assert code == 0
    assert "the last run was in another image" in out
    for part in ("software only: no GPU", "45 s at most", "100", "3 or more (time)", "0.50", "SSIM 0.970", "15 (the"):
        assert part in out
    assert "no time was left for it" in out
    assert "software: at least 3 H.264 1080p streams at once" in out
    assert "-20 % since the last run: decode h264" in out
    assert f"since the last run: {MAIN}" not in out  # one percent is no change
    assert "saved in /home/x/benchmark.json" in out


def test_a_run_cut_short_takes_no_whole_ones_place(monkeypatch, capsys, tmp_path: Path) -> None:
    (tmp_path / "usenet.yaml").write_text("name: x\n")
    whole = [True]

    def measured(*_: object) -> Iterator[Result]:
        yield result(MAIN, 100.0)
        if not whole[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "prepare", lambda home, quick: bench())
    monkeypatch.setattr(benchmark, "_measured", measured)

    def run() -> tuple[int, bool, str]:
        code = main.run(["--home", str(tmp_path), "hardware", "benchmark"])
        kept = json.loads((tmp_path / ".usenet" / "benchmark.json").read_text())
        return code, kept["partial"], capsys.readouterr().out

    whole[0] = False
    assert run()[:2] == (130, True)  # better than nothing
    whole[0] = True
    assert run()[:2] == (0, False)
    whole[0] = False
    code, partial, out = run()
    assert (code, partial) == (130, False)
    assert "not saved: the last whole run stays" in out


def test_a_benchmark_cut_short_says_so_and_exits_130(monkeypatch, capsys) -> None:
    cut = Measured(replace(report(result(MAIN, 100.0)), partial=True), "", (), "there is no stack here")
    code, out, err = benchmarked(monkeypatch, capsys, cut)
    assert code == 130
    assert "interrupted: 1 of" in err
    assert "not saved: there is no stack here" in out
    code, out, _ = benchmarked(monkeypatch, capsys, cut, "--json")
    assert code == 130
    assert json.loads(out)["report"]["partial"] is True
