"""usenet config and usenet init, as a person at a shell and a program meet them."""

import json
import os
import pty
import stat
import subprocess
import sys

import pytest

from usenet.adapters import files, secrets, settings
from usenet.adapters.home import Home
from usenet.cli import main
from usenet.cli.flags import FLAGS

FILE = (
    "# mine\nname: media\nservices:\n  sonarr:\n    port: 8990  # taken\n"
    "    environment: {API_KEY: '${SONARR_KEY}', A: b}\n"
)


@pytest.fixture
def usenet(tmp_path, monkeypatch, capsys):
    """Run a command line in `tmp_path`; exit code, stdout, stderr."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words):
        vars(FLAGS).clear()
        code = main.run(["--home", str(tmp_path), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def home(tmp_path):
    (tmp_path / "usenet.yaml").write_text(FILE)
    return Home(tmp_path)


def written(path):
    """When and where a file was last written; reading it changes nothing of this."""
    now = path.stat()
    return now.st_ino, now.st_mtime_ns, now.st_ctime_ns


def test_show_marks_defaults(usenet, home):
    code, out, _ = usenet("config", "show")
    lines = out.splitlines()
    assert code == 0
    assert "name: media" in lines
    assert "    port: 8990" in lines
    assert "timezone: Etc/UTC                 # default" in lines
    assert "      API_KEY: ${SONARR_KEY}" in lines
    shown = json.loads(usenet("config", "show", "--json")[1])
    assert shown["settings"]["services"]["sonarr"]["environment"] == {"API_KEY": "${SONARR_KEY}", "A": "b"}
    assert "timezone" in shown["defaults"]
    assert "name" not in shown["defaults"]


def test_get_set_unset(usenet, home):
    assert usenet("config", "get", "services.sonarr.port") == (0, "8990\n", "")
    assert usenet("config", "set", "services.sonarr.port", "9001")[0] == 0
    assert usenet("config", "get", "services.sonarr.port", "--json")[1] == "9001\n"
    assert usenet("config", "set", "services.sonarr.environment.A", "-x")[0] == 0
    assert usenet("config", "get", "services.sonarr.environment.A")[1] == "-x\n"
    assert usenet("config", "unset", "services.sonarr.port")[0] == 0
    assert home.settings.read_text() == FILE.replace("port: 8990  # taken", "# taken").replace("A: b", "A: -x")


def test_a_dry_run_prints_the_difference_and_changes_nothing(usenet, home):
    before = written(home.settings)
    code, out, _ = usenet("config", "set", "services.sonarr.port", "9001", "-n")
    assert code == 0
    assert "-    port: 8990  # taken\n+    port: 9001  # taken\n" in out
    assert written(home.settings) == before
    assert sorted(p.name for p in home.path.iterdir()) == ["usenet.yaml"]


def test_a_secret_is_not_written_and_not_shown(usenet, home):
    path = "services.sonarr.environment.API_KEY"
    for words in (("set", path, "hunter22"), ("set", path, "hunter22", "-n"), ("set", path, "hunter22", "--json")):
        code, out, err = usenet("config", *words)
        assert code == 3
        assert "hunter22" not in out + err
        assert "put API_KEY=… into .env, and write here: ${API_KEY}" in out + err
    assert home.settings.read_text() == FILE


def test_a_secret_that_is_in_the_file_is_refused_and_never_shown(usenet, home):
    home.settings.write_text(FILE.replace("'${SONARR_KEY}'", "hunter22"))
    for words in (("show",), ("validate",), ("validate", "--json"), ("get", "services.sonarr.environment")):
        code, out, err = usenet("config", *words)
        assert code == 4
        assert "hunter22" not in out + err
        assert "services/sonarr/environment/API_KEY" in out + err
    code, out, err = usenet("config", "set", "services.sonarr.port", "9001", "-n")
    assert code == 0
    assert "environment: {API_KEY: [redacted], A: b}" in out
    assert "hunter22" not in out + err


@pytest.mark.parametrize(
    ("words", "expected", "said"),
    [
        (("set", "services.sonarr.port", "x"), 3, 'error: services/sonarr/port: expected a whole number, found "x"\n'),
        (("set", "user.uid", "4294967295"), 3, "user/uid: expected a number of at most 4294967294"),
        (("set", "services.sonarr.prot", "1"), 3, 'hint:  did you mean "port"?'),
        (("get", "services.sonar"), 3, 'hint:  did you mean "sonarr"?'),
        (("set", "name"), 2, "hint:  see: usenet config set --help\n"),
        (("sett",), 2, "error: No such command 'sett'"),
    ],
)
def test_what_is_refused_is_said_and_changes_nothing(usenet, home, words, expected, said):
    code, out, err = usenet("config", *words)
    assert (code, out) == (expected, "")
    assert said in err
    assert home.settings.read_text() == FILE


def test_a_bad_file_is_exit_4_in_every_verb_and_json_too(usenet, home):
    home.settings.write_text("nme: x\nservices: 5\n")
    for verb in ("show", "validate"):
        code, out, err = usenet("config", verb)
        assert (code, out) == (4, "")
        assert err.startswith('error: usenet.yaml:1: nme: unknown key "nme"')
        assert "usenet.yaml:2: services: expected keys with values" in err
    code, out, _ = usenet("config", "validate", "--json")
    answer = json.loads(out)
    assert (code, answer["error"]["code"], len(answer["problems"])) == (4, 4, 2)
    assert json.loads(usenet("config", "show", "--json")[1])["error"]["path"] == "usenet.yaml:1: nme"


def test_without_a_file_the_cure_is_init(usenet, tmp_path):
    code, _, err = usenet("config", "show")
    assert code == 4
    assert f"hint:  make one with: usenet init --home {tmp_path}\n" in err
    assert usenet("config", "path") == (0, f"{tmp_path}/usenet.yaml\n", "")
    assert json.loads(usenet("config", "path", "--json")[1])["exists"] is False


def test_validate_knows_the_services(usenet, home):
    assert usenet("config", "validate")[0] == 0
    home.settings.write_text("services:\n  sonarr: {}\n  sonar: {}\n  overseerr: {}\n")
    code, _, err = usenet("config", "validate")
    assert code == 4
    assert 'error: usenet.yaml:3: services/sonar: expected a service that exists, found "sonar"\n' in err
    assert "did you mean sonarr" in err
    assert "warning: usenet.yaml:4: overseerr is retired: " in err
    assert "; use seerr\n" in err


def test_a_setting_that_no_service_has_is_said_when_it_is_written(usenet, home):
    told = (
        'warning: usenet.yaml:7: services/sonar: expected a service that exists, found "sonar"; did you mean sonarr?\n'
    )
    assert usenet("config", "set", "services.sonar.port", "9001")[::2] == (0, told)
    assert usenet("config", "unset", "services.sonar")[::2] == (0, "")
    assert usenet("config", "set", "services.sonarr.port", "9001")[::2] == (0, "")


def test_unset_says_what_it_did(usenet, home):
    assert usenet("config", "unset", "services.sonarr.port")[1].startswith("services.sonarr.port is taken out; ")
    assert usenet("config", "unset", "services.sonarr.port") == (0, "services.sonarr.port is not in the file\n", "")


def test_validate_knows_the_ports_of_a_container(usenet, home):
    home.settings.write_text("services:\n  caddy:\n    ports:\n      8088: 8000\n      9999: 1234\n")
    code, _, err = usenet("config", "validate")
    assert code == 4
    assert "error: usenet.yaml:5: services/caddy/ports/9999: expected a port of the container; it publishes 8088" in err
    assert "hint:  take it out: usenet config unset services.caddy.ports.9999\n" in err
    assert "ports/8088" not in err


@pytest.mark.parametrize(
    ("services", "told"),
    [
        (
            "{sonarr: {port: 9696}, prowlarr: }",
            "sonarr and prowlarr both want port 9696/tcp\nhint:  give it a free port",
        ),
        (
            "{netdata: , socket-proxy: {enabled: false}}",
            "services/socket-proxy/enabled: socket-proxy is switched off, and netdata can't run without it\n",
        ),
    ],
)
def test_validate_knows_what_the_services_contradict_each_other_in(usenet, home, services, told):
    home.settings.write_text(f"services: {services}\n")
    code, _, err = usenet("config", "validate")
    assert code == 4
    assert told in err


def test_wrong_words_are_json_wherever_the_flag_stands(usenet):
    for words in (("--json", "config", "sett"), ("config", "sett", "--json"), ("config", "set", "--json", "x")):
        code, out, err = usenet(*words)
        assert (code, json.loads(out)["error"]["code"], err) == (2, 2, "")
    assert usenet("services", "exec", "x", "--nope", "--", "--json")[1] == ""


def test_a_change_waits_for_nobody_who_holds_the_lock(usenet, home):
    with files.lock(home.path, "services up"):
        code, _, err = usenet("config", "set", "name", "x")
    assert code == 1
    assert ": services up\n" in err
    assert home.settings.read_text() == FILE


def test_init_writes_a_commented_file_and_a_private_env(usenet, tmp_path):
    code, out, err = usenet(
        "init", "--yes", "--services", "sonarr, radarr", "--uid", "1001", "--timezone", "Europe/Rome"
    )
    home = Home(tmp_path)
    assert (code, out, err) == (0, f"{home.settings} and {home.env} are written\n", "")
    read = settings.load(home)
    assert read.enabled == ("sonarr", "radarr")
    assert (read.user.uid, read.timezone, read.publish) == (1001, "Europe/Rome", "127.0.0.1")
    assert home.settings.read_text().count("#") > 8
    assert stat.S_IMODE(home.env.stat().st_mode) == 0o600
    assert set(secrets.read(home)) == {"SONARR_API_KEY", "RADARR_API_KEY"}


def test_the_home_directory_is_written_out(usenet, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert usenet("init", "--yes", "--data", "~/media")[0] == 0
    assert settings.load(Home(tmp_path)).data == "/home/me/media"
    assert usenet("init", "--yes", "--data", "~/media")[0] == 0
    assert usenet("config", "set", "data", "~/films")[0] == 0
    assert settings.load(Home(tmp_path)).data == "/home/me/films"
    assert usenet("config", "set", "data", "~nobody/films")[0] == 3


def test_init_never_writes_over_a_stack(usenet, home):
    assert usenet("init")[:2] == (0, f"{home.settings} is there already\n")
    assert usenet("init", "--services", "sonarr", "--name", "media")[0] == 0
    code, _, err = usenet("init", "--data", "/x")
    assert code == 3
    assert err.endswith("is there already, and says: data data\nhint:  change it with: usenet config set data /x\n")
    assert usenet("init", "--services", "radarr")[0] == 3
    assert home.settings.read_text() == FILE
    assert not home.env.exists()


@pytest.mark.parametrize(
    ("words", "expected", "said"),
    [
        ((), 2, "give it with --data"),
        (("--data", "/x"), 2, "give it with --publish"),
        (("--yes", "--services", "sonar"), 3, "did you mean sonarr"),
        (("--yes", "--services", " , "), 2, '--services: expected names, found " , "'),
        (("--yes", "--group", "films"), 3, 'expected a group, found "films"'),
        (("--yes", "--publish", "everyone"), 3, "error: publish: expected 127.0.0.1"),
        (("--yes", "--uid", "-1"), 3, "error: user/uid: expected a number of at least 0"),
        (("--yes", "--timezone", "22:22"), 3, "error: timezone: expected a zone name"),
    ],
)
def test_init_refuses_without_leaving_anything(usenet, tmp_path, monkeypatch, words, expected, said):
    monkeypatch.setattr("sys.stdin", None)
    code, _, err = usenet("init", *words)
    assert code == expected
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_a_dry_init_prints_the_file_and_makes_none(usenet, tmp_path):
    code, out, _ = usenet("init", "--yes", "-n", "--group", "download")
    assert code == 0
    assert "  transmission: {}\n" in out
    assert list(tmp_path.iterdir()) == []


def test_init_asks_little_at_a_terminal(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "usenet", "--home", str(tmp_path), "init", "--services", "sonarr"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        os.write(ours, b"/srv/films\n\n")
        _, asked = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, asked
    assert asked.count("?") == 2
    read = settings.load(Home(tmp_path))
    assert (read.data, read.publish) == ("/srv/films", "127.0.0.1")


def test_a_closed_stdin_is_no_terminal(tmp_path):
    command = f"exec {sys.executable} -m usenet --home {tmp_path} init <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "give it with --data" in done.stderr


def test_a_bug_leaves_a_report_without_secrets(usenet, home, monkeypatch, tmp_path):
    home.env.write_text("PLANTED='pl4nt\"ed'\nN=7\n")

    def breaks(*_):
        raise RuntimeError('no pl4nt"ed luck with http://me:sesame@host and s3same1 ' + repr('pl4nt"ed'))

    monkeypatch.setenv("LOOK_AT_ME", "environment-value")
    monkeypatch.setattr("usenet.actions.config.get", breaks)
    code, _, err = usenet("config", "get", "api_token=s3same1")
    assert code == 70
    assert err.startswith(
        "error: this is a bug in usenet: RuntimeError: no [redacted] luck with http://[redacted]@host"
    )
    assert not [secret for secret in ("pl4nt", "sesame", "s3same1") if secret in err]
    (report,) = (tmp_path / "state" / "usenet").iterdir()
    assert f"hint:  a report without secrets is in {report}\n" in err
    text = report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert "RuntimeError: no [redacted] luck with http://[redacted]@host and [redacted] '[redacted]'" in text
    assert "command: usenet --home" in text
    assert "in breaks" in text
    for secret in ("pl4nt", "sesame", "s3same1", "environment-value"):
        assert secret not in text


def test_a_report_that_cannot_be_written_is_not_another_error(usenet, home, monkeypatch, tmp_path):
    (tmp_path / "state").write_text("")
    monkeypatch.setattr("usenet.actions.config.get", lambda *_: 1 / 0)
    code, _, err = usenet("config", "get", "name")
    assert code == 70
    assert "hint:  run again with --verbose to see where\n" in err
