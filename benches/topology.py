"""The shapes that are measured, as config folders.

`spokes`: many accounts; one is the hub's, in each other one a team's bus forwards five publications to the hub.
`hub`: one hub with 300 rules, which deliver to thirty teams' buses.
"""

from pathlib import Path

REGION = "us-east-1"
ROLE = "wheelwright-operator"
EXTERNAL_ID = "bench"
HUB_BUS = "org-events"
SPOKE_BUS = "events"
PUBLICATIONS = 5  # rules of each spoke
HUB_TEAMS = 30
HUB_SUBSCRIPTIONS = 10  # of each team: 300 rules in all, as many as a bus has room for

SETTINGS = """\
[operator]
role-name = "{role}"
external-id = "{external_id}"
region = "{region}"

[pace]
accounts-in-flight-max = 64
calls-per-second-max = {calls_per_second}
calls-burst-max = {calls_burst}
scope-deadline-secs = {scope_deadline}
settle-secs = 0

[sweep]
fast-every-secs = {fast_every}
full-every-secs = {full_every}
gap-secs-min = 0
start-jitter-secs-max = 0
source-every-secs = {source_every}

[mode]
default = "enforce"
"""

HUB = """\
[organization]
id = "o-a1b2c3d4e5"

[hub.main]
account = "hub"
region = "{region}"
bus = "{bus}"
grant = "organization"
"""


def account_id(number: int) -> str:
    return str(200_000_000_000 + number)


class Shape:
    """A config folder, and which buses hold the rules that a sweep reads."""

    def __init__(self, folder: Path, name: str, accounts: int):
        self.folder, self.name, self.accounts = folder, name, accounts
        self.buses = {account_id(0): HUB_BUS} | {account_id(n): SPOKE_BUS for n in range(1, accounts)}
        teams = folder / "topology" / "teams"
        teams.mkdir(parents=True)
        roster = ["[account]", f'hub = {{ id = "{account_id(0)}" }}']
        for number in range(1, accounts):
            roster.append(f'a{number:05} = {{ id = "{account_id(number)}" }}')
            text = forwarding_team(number) if name == "spokes" else subscribing_team(number)
            (teams / f"t{number:05}.toml").write_text(text)
        (folder / "topology" / "accounts.toml").write_text("\n".join(roster) + "\n")
        (folder / "topology" / "hubs.toml").write_text(HUB.format(region=REGION, bus=HUB_BUS))

    def settings(self, **chosen: int) -> None:
        """Writes the settings: how fast it may go, and how often it looks."""
        usual = {"calls_per_second": 50, "calls_burst": 100, "fast_every": 3600, "full_every": 86400, "source_every": 3600, "scope_deadline": 600}
        text = SETTINGS.format(role=ROLE, external_id=EXTERNAL_ID, region=REGION, **(usual | chosen))
        (self.folder / "wheelwright.toml").write_text(text)


def team(number: int) -> str:
    return (
        f'[team]\nname = "t{number:05}"\ncontact = "#t{number:05}"\n\n'
        f'[spoke.main]\nhub = "main"\naccount = "a{number:05}"\nbus = "{SPOKE_BUS}"\n'
    )


def forwarding_team(number: int) -> str:
    publications = "".join(
        f'\n[publish.p{n}]\nsource = "com.bench.t{number:05}.p{n}"\n'
        f'detail-types = ["Opened", "Closed"]\nsubscribers = ["*"]\nvia = "spoke"\n'
        for n in range(PUBLICATIONS)
    )
    return team(number) + publications


def subscribing_team(number: int) -> str:
    """The first publishes what all the others, and it, subscribe to."""
    published = '\n[publish.all]\nsource = "com.bench.all"\nsubscribers = ["*"]\n' if number == 1 else ""
    subscriptions = "".join(
        f'\n[subscribe.s{n}]\nfrom = "t00001.all"\nwhere.detail.kind = ["k{number}-{n}"]\n' for n in range(HUB_SUBSCRIPTIONS)
    )
    return team(number) + published + subscriptions


PAGE_TEAMS, PAGE_SPOKES, PAGE_SUBSCRIPTIONS = 50, 10, 60  # 500 spokes and 3,000 routes


class Organisation(Shape):
    """What the page is measured with: one hub, teams with many spokes each, and many routes between them."""

    def __init__(self, folder: Path):
        self.folder, self.name, self.accounts = folder, "organisation", 1 + PAGE_TEAMS * PAGE_SPOKES
        self.buses = {account_id(0): HUB_BUS} | {account_id(n): SPOKE_BUS for n in range(1, self.accounts)}
        teams = folder / "topology" / "teams"
        teams.mkdir(parents=True)
        roster = ["[account]", f'hub = {{ id = "{account_id(0)}" }}']
        for number in range(PAGE_TEAMS):
            text = f'[team]\nname = "t{number:02}"\ncontact = "#t{number:02}"\n'
            text += f'[publish.all]\nsource = "com.bench.t{number:02}"\nsubscribers = ["*"]\n'
            for spoke in range(PAGE_SPOKES):
                account = 1 + number * PAGE_SPOKES + spoke
                roster.append(f'a{account:05} = {{ id = "{account_id(account)}" }}')
                text += f'[spoke.s{spoke}]\nhub = "main"\naccount = "a{account:05}"\nbus = "{SPOKE_BUS}"\n'
            for entry in range(PAGE_SUBSCRIPTIONS):
                publisher = (number + 1 + entry % 30) % PAGE_TEAMS
                text += f'[subscribe.n{entry}]\nfrom = "t{publisher:02}.all"\nspoke = "s{entry % PAGE_SPOKES}"\n'
                text += f'where.detail.kind = ["k{entry}"]\n'
            (teams / f"t{number:02}.toml").write_text(text)
        (folder / "topology" / "accounts.toml").write_text("\n".join(roster) + "\n")
        hub = HUB.format(region=REGION, bus=HUB_BUS) + f"quotas = {{ rules-max = {PAGE_TEAMS * PAGE_SUBSCRIPTIONS + 100} }}\n"
        (folder / "topology" / "hubs.toml").write_text(hub)
