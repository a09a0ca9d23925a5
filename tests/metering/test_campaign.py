"""A campaign: canaries first, no faster than its rate, stopped when too many fail, the same after a restart as without one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metering.campaign import (
    Campaign,
    CampaignFault,
    Order,
    Phase,
    Plan,
    Result,
    Stage,
    advance,
    go_on,
    next_due,
    outstanding,
    report,
    restored,
    stop,
    stored,
)

GOOD = Result.DIAGNOSTIC_PASSED


def plan(count: int = 10, **more: Any) -> Plan:
    """Plan a campaign over some devices, two of ten of which are canaries."""
    return Plan("c1", tuple(f"M{number}" for number in range(1, count + 1)), **{"canary": 0.2, "abort": 0.2, "rate": 100, "patience": 30.0, **more})


def told(campaign: Campaign, now: float, **results: Result) -> Campaign:
    """Let devices report."""
    for device, result in results.items():
        campaign, _ = report(campaign, device, result, now)
    return campaign


def after_canaries(**more: Any) -> Campaign:
    """Give a campaign whose two canaries were good, and that has ordered the rest."""
    campaign, _ = advance(Campaign(plan(**more)), 0)
    return advance(told(campaign, 1, M1=GOOD, M2=GOOD), 1)[0]


def test_canaries_go_first_and_the_rest_when_they_are_over() -> None:
    campaign, orders = advance(Campaign(plan()), 0)
    assert orders == (Order("M1", "update", "c1-M1"), Order("M2", "update", "c1-M2"))
    campaign = told(campaign, 1, M1=GOOD, M2=Result.INSTALLED)
    assert advance(campaign, 2) == (campaign, ())
    assert campaign.phase is Phase.CANARY
    campaign = told(campaign, 3, M2=GOOD)
    assert campaign.phase is Phase.ROLLOUT
    campaign, orders = advance(campaign, 3)
    assert [order.device for order in orders] == [f"M{number}" for number in range(3, 11)]
    campaign = told(campaign, 4, **{order.device: GOOD for order in orders})
    assert campaign.phase is Phase.FINISHED
    assert campaign.counts()[Stage.DONE] == 10
    assert next_due(campaign, 5) is None


@pytest.mark.parametrize(("count", "share", "canaries"), [(10, 0, 1), (10, 0.2, 2), (10, 0.21, 3), (10, 1, 10), (1, 0.5, 1), (1000, 0.007, 7)])
def test_how_many_canaries(count: int, share: float, canaries: int) -> None:
    assert len(plan(count, canary=share).canaries) == canaries


def test_no_faster_than_the_rate() -> None:
    campaign = told(after_canaries(rate=3), 1, M3=GOOD)
    times = {1.0: ["M3"]}
    now = 1.0
    while campaign.counts()[Stage.WAITING]:
        due = next_due(campaign, now)
        assert due is not None
        assert advance(campaign, due - 0.001)[1] == ()
        now = due
        campaign, orders = advance(campaign, now)
        times[now] = [order.device for order in orders]
        campaign = told(campaign, now, **dict.fromkeys(times[now], GOOD))
    assert times == {1.0: ["M3"], 60.0: ["M4", "M5"], 61.0: ["M6"], 120.0: ["M7", "M8"], 121.0: ["M9"], 180.0: ["M10"]}


def test_a_device_whose_diagnostic_fails_goes_back() -> None:
    campaign = after_canaries()
    campaign, orders = report(campaign, "M5", Result.INSTALLED, 2)
    assert orders == ()
    campaign, orders = report(campaign, "M5", Result.DIAGNOSTIC_FAILED, 3, "checksum of the metrology")
    assert orders == (Order("M5", "rollBack", "c1-M5-back"),)
    assert campaign.of("M5").stage is Stage.ROLLING_BACK
    campaign, orders = report(campaign, "M5", Result.ROLLED_BACK, 4)
    assert (campaign.of("M5").stage, campaign.of("M5").why, orders) == (Stage.ROLLED_BACK, "checksum of the metrology", ())


def test_it_stops_when_too_many_fail_and_finishes_what_has_begun() -> None:
    campaign = after_canaries(rate=5)
    campaign = told(campaign, 2, M3=Result.FAILED, M4=Result.FAILED)
    assert campaign.phase is Phase.ROLLOUT  # two of ten are not more than a fifth
    campaign, orders = report(campaign, "M5", Result.DIAGNOSTIC_FAILED, 3, "no pulse")
    assert campaign.phase is Phase.STOPPED
    assert campaign.why == "3 of 10 devices failed, more than 20%: the last is M5, no pulse"
    assert orders == (Order("M5", "rollBack", "c1-M5-back"),)
    campaign = told(campaign, 4, M5=Result.ROLLED_BACK)
    assert advance(campaign, 1_000)[1] == ()
    campaign = go_on(campaign)
    assert campaign.phase is Phase.ROLLOUT
    campaign, orders = advance(campaign, 1_000)
    assert [order.device for order in orders] == ["M6", "M7", "M8", "M9", "M10"]
    campaign = told(campaign, 1_001, M6=Result.FAILED, M7=Result.FAILED)
    assert campaign.phase is Phase.ROLLOUT
    assert told(campaign, 1_001, M8=Result.FAILED).phase is Phase.STOPPED


def test_canaries_that_fail_keep_it_from_all_others() -> None:
    campaign, _ = advance(Campaign(plan()), 0)
    campaign = told(campaign, 1, M1=GOOD, M2=Result.FAILED)
    assert campaign.phase is Phase.STOPPED
    assert campaign.why == "1 of 2 canaries failed, more than 20%: the last is M2, failed"
    assert advance(campaign, 100)[1] == ()
    assert len(advance(go_on(campaign), 100)[1]) == 8


def test_a_silent_device_has_failed_but_is_heard_when_it_speaks() -> None:
    campaign = after_canaries()
    assert next_due(campaign, 2) == 31.0
    campaign = told(campaign, 30, **{f"M{number}": GOOD for number in range(4, 10)})
    campaign = told(campaign, 30, M10=Result.INSTALLED)
    campaign, _ = advance(campaign, 31)
    assert (campaign.of("M3").stage, campaign.of("M3").why) == (Stage.FAILED, "the device says nothing")
    campaign, _ = advance(campaign, 60)
    assert campaign.of("M10").why == "the diagnostic was not confirmed"
    assert campaign.phase is Phase.FINISHED
    campaign, orders = report(campaign, "M3", Result.DIAGNOSTIC_FAILED, 90)
    assert orders == (Order("M3", "rollBack", "c1-M3-back"),)
    assert campaign.phase is Phase.ROLLOUT
    campaign, _ = advance(campaign, 120)
    assert campaign.of("M3").why == "the roll-back was not confirmed"
    assert told(campaign, 130, M3=Result.ROLLED_BACK, M10=GOOD).counts()[Stage.DONE] == 9


@pytest.mark.parametrize("result", Result)
def test_what_comes_late_or_twice_or_from_strangers_changes_nothing(result: Result) -> None:
    campaign, _ = advance(Campaign(plan()), 0)
    campaign = told(campaign, 1, M1=GOOD)
    for device in ("M1", "M9", "M99"):
        assert report(campaign, device, result, 2) == (campaign, ())


def test_somebody_may_stop_it() -> None:
    campaign = stop(after_canaries(rate=4), "the wrong file")
    assert (campaign.phase, campaign.why) == (Phase.STOPPED, "the wrong file")
    assert advance(campaign, 500)[1] == ()
    assert go_on(campaign).phase is Phase.ROLLOUT
    finished = told(advance(Campaign(plan(1)), 0)[0], 1, M1=GOOD)
    assert stop(finished, "late").phase is Phase.FINISHED
    assert go_on(finished) == finished


def test_after_a_restart_the_same_orders_are_sent_again() -> None:
    campaign = told(after_canaries(), 2, M3=GOOD, M4=Result.DIAGNOSTIC_FAILED, M5=Result.INSTALLED)
    again = restored(json.loads(json.dumps(stored(campaign))))
    assert again == campaign
    assert outstanding(again) == (Order("M4", "rollBack", "c1-M4-back"), *(Order(f"M{number}", "update", f"c1-M{number}") for number in range(6, 11)))


@given(st.data())
def test_whatever_happens(data: st.DataObject) -> None:
    rate, abort = data.draw(st.integers(1, 5)), data.draw(st.sampled_from([0.0, 0.2, 0.5, 1.0]))
    campaign = Campaign(plan(data.draw(st.integers(1, 12)), canary=data.draw(st.sampled_from([0, 0.3, 1])), rate=rate, abort=abort))
    now, begun, sent = 0.0, list[float](), list[str]()
    for _ in range(40):
        now += data.draw(st.sampled_from([0.0, 1.0, 29.0, 60.0]))
        deed = data.draw(st.sampled_from(["advance", "advance", "report", "report", "restart", "stop", "go on"]))
        orders: tuple[Order, ...] = ()
        before = campaign
        match deed:
            case "advance":
                campaign, orders = advance(campaign, now)
                assert not [order for order in orders if order.do == "rollBack"]
                assert campaign.phase is not Phase.STOPPED or not orders
                assert (
                    before.phase is not Phase.CANARY or campaign.phase is not Phase.CANARY or {order.device for order in orders} <= set(campaign.plan.canaries)
                )
                begun += [now] * len(orders)
            case "report":
                campaign, orders = report(campaign, data.draw(st.sampled_from(campaign.plan.devices)), data.draw(st.sampled_from(Result)), now)
                assert {order.do for order in orders} <= {"rollBack"}
            case "restart":
                campaign = restored(json.loads(json.dumps(stored(campaign))))
                assert campaign == before
                assert {order.id for order in outstanding(campaign)} <= set(sent)
            case "stop":
                campaign = stop(campaign, "somebody")
            case "go on":
                campaign = go_on(campaign)
        sent += [order.id for order in orders]
        counts = campaign.counts()
        assert (campaign.phase is Phase.FINISHED) == (
            sum(counts[stage] for stage in (Stage.DONE, Stage.FAILED, Stage.ROLLED_BACK)) == len(campaign.plan.devices)
        )
        if counts[Stage.WAITING] and campaign.phase is Phase.ROLLOUT:
            failed = counts[Stage.FAILED] + counts[Stage.ROLLED_BACK] + counts[Stage.ROLLING_BACK]
            assert failed - campaign.forgiven <= abort * len(campaign.plan.devices)
    assert len(sent) == len(set(sent))
    assert all(sum(moment - 60 < each <= moment for each in begun) <= rate for moment in begun)


@given(st.integers(1, 30), st.floats(0, 1), st.integers(1, 20))
def test_it_comes_to_its_end_by_itself_when_all_is_well(count: int, canary: float, rate: int) -> None:
    campaign, now = Campaign(plan(count, canary=canary, rate=rate)), 0.0
    for _ in range(10 * count):
        campaign, orders = advance(campaign, now)
        campaign = told(campaign, now, **{order.device: GOOD for order in orders})
        due = next_due(campaign, now)
        if due is None:
            break
        now = due
    assert campaign.phase is Phase.FINISHED
    assert now <= 60.0 * (count / rate + 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"canary": 1.1}, "canary: must be a share from 0 to 1, not 1.1"),
        ({"abort": -0.1}, "abort: must be a share from 0 to 1, not -0.1"),
        ({"canary": float("nan")}, "canary: must be a share"),
        ({"rate": 0}, "rate: must be 1 a minute or more, not 0"),
        ({"patience": 0}, "patience: must be more than 0 seconds, not 0"),
    ],
)
def test_plans_that_are_none(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CampaignFault, match=said):
        plan(**changes)
    with pytest.raises(CampaignFault, match="devices: there must be one at least, and none twice"):
        Plan("c1", ("M1", "M1"))


@pytest.mark.parametrize(
    "change", [{"phase": "lost"}, {"devices": {"M99": stored(after_canaries())["devices"]["M1"]}}, {"plan": 5}, {"devices": {"M1": {}}}, {"forgiven": "x"}]
)
def test_stored_states_that_are_none(change: dict[str, Any]) -> None:
    with pytest.raises(CampaignFault):
        restored({**stored(after_canaries()), **change})
