"""Which probes are answered when: a dialogue per fact."""

from __future__ import annotations

from collections.abc import Callable

from tpconfig.agent.readiness import MAX_PROBERS, Readiness


class Prober:
    """Asks and collects the answers."""

    def __init__(self, readiness: Readiness, name: str = "node") -> None:
        self.answers: list[bool] = []
        self._readiness = readiness
        self._name = name

    def probe(self) -> Callable[[bool], None]:
        """Ask once."""

        def answer(value: bool) -> None:
            self.answers.append(value)

        self._readiness.probe(self._name, answer)
        return answer


def test_the_first_probe_is_answered_at_once() -> None:
    """Who knows nothing is told at once."""
    prober = Prober(Readiness())
    prober.probe()
    assert prober.answers == [False]


def test_who_knows_the_state_waits_for_a_change() -> None:
    """A held probe is answered by the change, all of them by the same one."""
    readiness = Readiness()
    prober = Prober(readiness)
    for _ in range(3):
        prober.probe()
    assert prober.answers == [False]
    readiness.set(True)
    assert prober.answers == [False, True, True]


def test_a_state_that_is_set_again_is_no_change() -> None:
    """Nobody is answered because somebody said the same again."""
    readiness = Readiness()
    prober = Prober(readiness)
    prober.probe()
    prober.probe()
    readiness.set(False)
    assert prober.answers == [False]


def test_a_change_between_two_probes() -> None:
    """A probe that arrives while the state differs from what was told is answered at once."""
    readiness = Readiness()
    prober = Prober(readiness)
    prober.probe()
    readiness.set(True)
    prober.probe()
    assert prober.answers == [False, True]


def test_there_and_back_between_two_probes() -> None:
    """A change that was undone before anybody asked is no news."""
    readiness = Readiness()
    prober = Prober(readiness)
    prober.probe()
    readiness.set(True)
    readiness.set(False)
    prober.probe()
    assert prober.answers == [False]


def test_strangers_do_not_take_the_kubelet_s_news() -> None:
    """What another prober was told does not count for this one."""
    readiness = Readiness()
    kubelet, stranger = Prober(readiness, "node"), Prober(readiness, "stranger")
    kubelet.probe()
    readiness.set(True)
    stranger.probe()
    kubelet.probe()
    assert (kubelet.answers, stranger.answers) == ([False, True], [True])


def test_who_left_was_not_told() -> None:
    """A prober that went away while it waited is answered at once when it asks again."""
    readiness = Readiness()
    prober = Prober(readiness)
    prober.probe()
    readiness.forget(prober.probe())
    readiness.set(True)
    assert prober.answers == [False]
    prober.probe()
    assert prober.answers == [False, True]


def test_a_held_probe_can_be_answered_with_the_state_there_is() -> None:
    """When it has been held for long enough, the state is repeated, once."""
    readiness = Readiness()
    prober = Prober(readiness)
    prober.probe()
    held = prober.probe()
    readiness.answer(held)
    readiness.answer(held)
    assert prober.answers == [False, False]


def test_the_end_is_final() -> None:
    """After the end nothing makes the Pod ready again, and who waits is told."""
    readiness = Readiness()
    readiness.set(True)
    prober = Prober(readiness)
    prober.probe()
    prober.probe()
    readiness.end()
    readiness.set(True)
    assert prober.answers == [True, False]
    assert not readiness.value


def test_memory_is_bounded() -> None:
    """Who was forgotten is answered at once: the harmless direction."""
    readiness = Readiness()
    first = Prober(readiness, "first")
    first.probe()
    for number in range(MAX_PROBERS):
        Prober(readiness, f"stranger-{number}").probe()
    first.probe()
    assert first.answers == [False, False]
