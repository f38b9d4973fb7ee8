"""What fstab says of drives: nothing in it stops or delays a machine for long, and no path is torn apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.storage_kernel import DATA, Disk, plain
from tests.unit.storage_model import Machine, run
from tests.unit.storage_settled import settled, shown
from usenet.domain.storage.lines import escaped

# All that a path may hold once line breaks were refused.
PATHS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), include_characters="\t\n\\ "), min_size=1)


@given(PATHS)
def test_a_path_is_one_word_and_read_as_it_was(path: str) -> None:
    word = escaped(path)
    assert not {" ", "\t", "\n"} & set(word)
    assert plain(word) == path


def test_a_directory_with_a_backslash_is_not_another() -> None:
    assert escaped("/mnt/a\\040b") == "/mnt/a\\134040b"


def fresh(*, shared: bool) -> Machine:
    """A machine before its first drive is added."""
    machine = Machine(shared=shared)
    machine.plug(Disk(serial="A", uuid="u-a"), 0)
    return machine


def test_a_drive_that_is_away_holds_no_start_up_for_long() -> None:
    machine = fresh(shared=True)
    run(machine.add("u-a", "films"))
    (line,) = machine.lines
    options = line.split(" ")[3].split(",")
    assert {"nofail", "x-systemd.device-timeout=5s"} <= set(options)


def test_a_first_addition_that_is_killed_anywhere_leaves_a_root_that_is_shared_after_the_next_start_too() -> None:
    for killed in range(len(list(fresh(shared=False).add("u-a", "films")))):
        machine = fresh(shared=False)
        run(machine.add("u-a", "films"), killed)
        run(machine.add("u-a", "films"))
        settled(machine)
        assert machine.lines[0] == f"{DATA} {DATA} none rbind,rshared,nofail 0 0", killed
        machine.boot(lambda disks: disks)
        assert (machine.share_now, shown(machine)) == (True, {"films": "A"}), killed
