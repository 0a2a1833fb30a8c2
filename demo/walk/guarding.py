"""Steps: who gets nothing."""

from uuid import uuid4

from demo.walk.reading import change, refusals
from demo.walk.world import World, hold

NAME = "patient { name }"


def _open(chart: str) -> str:
    return f'{{ record(chart: "{chart}") {{ {NAME} }} }}'


async def stranger_gets_nothing(world: World) -> str:
    """Omar gets for Rosa's chart what he gets for a chart that does not exist; both on record."""
    rosa = await world.chart("rosa")
    absent = (await world.ids("riverside")).hide("chart", str(uuid4()))
    before = await world.head("riverside")
    answers = [await world.ask("omar", _open(chart)) for chart in (rosa, absent)]
    hold(answers[0].text == answers[1].text, "a stranger can tell a chart from none")
    hold(answers[0].data == {"record": None}, "a stranger gets something")
    events = await world.since("riverside", before)
    hold(refusals(events) == 2, f"{refusals(events)} refusals on record for two")
    hold(len(events) == 2, "more than the refusals happened")
    nobody = await world.ask_with("", _open(rosa))
    hold(nobody.status == 401, "nobody is let in")
    return "the same answer as for an absent chart; 2 refusals on record"


async def proxy_within_scope(world: World) -> str:
    """Mei opens her father's record; Laura, whose grant has other scopes, not her daughter's."""
    jun, tess = await world.chart("jun"), await world.chart("tess")
    before = await world.head("riverside")
    opened = await world.ask("mei", _open(jun))
    hold(opened.data["record"]["patient"]["name"] == "Jun Chen", "the proxy gets nothing")
    looks = await world.since("riverside", before)
    hold(looks[-1].context.basis == "proxy-grant", "the basis is not the grant")
    hold((await world.ask("laura", _open(tess))).data["record"] is None, "beyond the scope")
    liam = await world.chart("liam", "lakeside")
    son = await world.ask("aoife", _open(liam))
    hold(son.data["record"]["patient"]["name"] == "Liam Byrne", "the mother gets nothing")
    return "carer and mother by their grants; not beyond the scopes"


async def clinician_by_relationship(world: World) -> str:
    """Dr Adeyemi opens those she treats and nobody else; the front desk opens no record."""
    me = "{ me { records(first: 100) { edges { node { relationship chart } } } } }"
    treated = (await world.ask("adeyemi", me)).data["me"]["records"]["edges"]
    hold(len(treated) > 0, "she treats nobody")
    hold(
        all(edge["node"]["relationship"] == "care-relationship" for edge in treated),
        "another relationship",
    )
    charts = {edge["node"]["chart"] for edge in treated}
    stories = [story for story in world.demo.stored.charts if story not in ("liam", "noor")]
    others = [chart for story in stories if (chart := await world.chart(story)) not in charts]
    for chart in others:
        hold((await world.ask("adeyemi", _open(chart))).data["record"] is None, "not treated")
    for chart in charts:
        hold((await world.ask("sam", _open(chart))).data["record"] is None, "front desk")
        opened = await world.ask("adeyemi", _open(chart))
        hold(opened.data["record"] is not None, "a treated patient is closed")
    hold(len(others) > 0, "she treats everybody: the step proves nothing")
    return f"{len(charts)} treated, {len(others)} closed; front desk none"


async def tenants_apart(world: World) -> str:
    """Nothing of one organisation can be opened with an id or a token of the other."""
    rosa = await world.chart("rosa")
    for person in ("noor", "lindgren", "marcus"):
        answer = await world.ask(person, _open(rosa))
        hold(answer.data["record"] is None, f"{person} opens another organisation's chart")
    demo = world.demo
    crossed = demo.issuer.mint(demo.stored.accounts["rosa"], "lakeside", "demo")
    answer = await world.ask_with(crossed, "{ record { patient { name } } }")
    hold("Rosa" not in answer.text, "an account of one organisation acts in the other")
    trail = "{ auditTrail(first: 100) { edges { node { id } } } }"
    here = {e["node"]["id"] for e in (await world.ask("priya", trail)).data["auditTrail"]["edges"]}
    there = {
        e["node"]["id"] for e in (await world.ask("marcus", trail)).data["auditTrail"]["edges"]
    }
    hold(bool(here) and bool(there) and here.isdisjoint(there), "trails overlap")
    return "ids, accounts and trails of one are nothing to the other"


async def second_wall_holds(world: World) -> str:
    """With the rules out of the way, PostgreSQL itself shows Omar no row of Rosa's chart."""
    chart = world.demo.stored.charts["rosa"]
    account = world.demo.stored.accounts["omar"]
    tables = await world.owner.fetch(
        "SELECT tablename FROM pg_policies WHERE schemaname = 'model' AND policyname = 'chart'"
    )
    hold(len(tables) >= 10, f"only {len(tables)} tables are guarded by chart")
    own = 0
    async with world.demo.house.api.acquire() as connection:
        for row in tables:
            table = f"model.{row['tablename']}"
            async with connection.transaction():
                await connection.execute(
                    "SELECT set_config('anamnesis.tenant', 'riverside', true),"
                    " set_config('anamnesis.account', $1, true)",
                    account,
                )
                seen = await connection.fetch(f"SELECT chart FROM {table}")
                charts = {str(record["chart"]) for record in seen}
                hold(chart not in charts, f"{row['tablename']} shows a stranger's rows")
                hold(len(charts) <= 1, f"{row['tablename']} shows several charts")
                own += len(seen)
            bare = await connection.fetchval(f"SELECT count(*) FROM {table}")
            hold(bare == 0, f"{row['tablename']} shows rows to nobody in particular")
    hold(own > 0, "not even his own rows are shown")
    return f"{len(tables)} tables, 0 foreign rows"


async def withdrawal_at_once(world: World) -> str:
    """Jun ends Mei's access: her very next request is refused; he grants it again."""
    jun = await world.chart("jun")
    person = (await world.ask("mei", "{ me { person } }")).data["me"]["person"]
    key = f"withdraw-{await world.head('riverside')}"
    scopes = "[MESSAGING, PRESCRIPTIONS, RECORDS, RESULTS, SCHEDULING]"
    ended = await world.ask("jun", change("withdrawProxyAccess", jun, person, key))
    try:
        typename = ended.data["withdrawProxyAccess"]["__typename"]
        hold(typename == "ProxyAccessChanged", typename)
        hold((await world.ask("mei", _open(jun))).data["record"] is None, "still open")
    finally:
        more = f"kind: CAREGIVER, scopes: {scopes}"
        await world.ask("jun", change("grantProxyAccess", jun, person, f"{key}-again", more))
    opened = await world.ask("mei", _open(jun))
    hold(opened.data["record"] is not None, "the new grant does not open")
    return "refused at the next request"
