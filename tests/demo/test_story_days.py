"""A story is told as of a day: whoever starts the demonstration later finds it just as fresh."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from demo.seed import write_bundles
from demo.stories import Story, stories
from demo.stories.calendar import LAST_DAY, moved, weeks_since
from demo.stories.clinics import local_time
from projections.care import AFTERCARE
from tests.demo.test_stories import resources, walk

LATER = LAST_DAY + timedelta(weeks=37, days=3)
pairs = pytest.mark.parametrize(
    ("written", "told"),
    list(zip(stories(), stories(LATER), strict=True)),
    ids=[story.key for story in stories()],
)


def visits(story: Story) -> list[datetime]:
    """When the visits of a story start, in order."""
    starts = (visit["period"]["start"] for visit in resources(story, "Encounter"))
    return sorted(map(datetime.fromisoformat, starts))


@pairs
def test_ages_weekdays_and_intervals_stay_and_wall_clocks_too(written: Story, told: Story) -> None:
    by = timedelta(weeks=37)
    for before, after in zip(visits(written), visits(told), strict=True):
        wall = before.replace(tzinfo=None) + by
        assert after == local_time(wall.isoformat())
    born = [
        date.fromisoformat(str(resources(story, "Patient")[0]["birthDate"]))
        for story in (written, told)
    ]
    assert born[1] - born[0] == by


@pairs
def test_nothing_but_dates_changes(written: Story, told: Story) -> None:
    before, after = list(walk(written.bundle)), list(walk(told.bundle))
    assert [name for name, _ in before] == [name for name, _ in after]
    for (name, one), (_, other) in zip(before, after, strict=True):
        if isinstance(one, str) and one != other:
            assert one[:2] in ("19", "20"), name
            assert len(one[:7]) == len(other[:7])


@pairs
def test_the_newest_visit_is_near_and_none_is_to_come(written: Story, told: Story) -> None:
    """Who treats a patient at the end of a story still does on whatever day it is told."""
    del written
    age = LATER - visits(told)[-1].date()
    assert timedelta(0) <= age
    assert age + timedelta(days=30) < AFTERCARE


def test_a_month_or_a_year_alone_moves_with_its_middle() -> None:
    told = {"onsetDateTime": "2019-11", "abatementDateTime": "2019", "code": "2019", "x": ["2019"]}
    assert moved(told, 4) == told | {"onsetDateTime": "2019-12"}
    assert moved(told, 30)["abatementDateTime"] == "2020"
    assert moved(told, 0) == told


def test_a_story_never_moves_back_and_moves_by_whole_weeks() -> None:
    assert weeks_since(LAST_DAY - timedelta(days=400)) == 0
    assert weeks_since(LAST_DAY + timedelta(days=6)) == 0
    assert weeks_since(LAST_DAY + timedelta(days=7)) == 1


def test_a_folder_keeps_the_day_on_which_its_stories_were_told(tmp_path: Path) -> None:
    (tmp_path / "told-on").write_text(LATER.isoformat())
    first = {path.name: path.read_bytes() for path in _written(tmp_path)}
    assert first["rosa.json"] != b""
    assert {path.name: path.read_bytes() for path in _written(tmp_path)} == first
    newest = max(visits(next(story for story in stories(LATER) if story.key == "rosa")))
    assert newest.isoformat().encode() in first["rosa.json"]


def _written(folder: Path) -> list[Path]:
    return [path for place in write_bundles(folder).values() for path in sorted(place.iterdir())]
