"""Real recordings under free licences: which packages hold them, and on which side each source stands.

A source is a package, or the packages or the part of one that one author made. What stands in `licence` is
what the package's own copyright file says of its sounds; that file is kept beside them. The side was fixed
before anything was measured: a source that the audit met before stays where it was, and of any other the
last bit of the SHA-256 of its name decides. What stands under `CONFIRMATION` was added on 2026-11-27, when
the benchmark's side had been opened: no choice before that day was made on it. What stands under `REPORT` was
added later that day, when the confirmation's side had been opened as well, and what stands under `PROOF` on
2026-11-28, when all others had been.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Side = Literal["calibration", "benchmark", "confirmation", "report", "proof"]


@dataclass(frozen=True)
class Source:
    """Where recordings come from.

    `within` and `strokes` are regular expressions on a path inside a package: what is taken, and what of it
    is single strokes or notes of an instrument. `artist` is named where one made all of it. `placed` is the
    side of a source for which it is not drawn.
    """

    name: str
    licence: str
    packages: tuple[str, ...]
    registry: Literal["debian", "npm", "pypi"] = "debian"
    within: str = ""
    strokes: str = "$."
    artist: str | None = None
    placed: Side | None = None

    @property
    def side(self) -> Side:
        if self.placed is not None:
            return self.placed
        return ("calibration", "benchmark")[hashlib.sha256(self.name.encode()).digest()[-1] & 1]


def debian(name: str, licence: str, **more: str) -> Source:
    """A package of Debian 12's main section, all of it one source."""
    return Source(name, licence, (name,), **more)  # type: ignore[arg-type]


def confirmation(name: str, licence: str, within: str = "") -> Source:
    """A package of Debian 12's main section that was added when the benchmark's side was known."""
    return Source(name, licence, (name,), within=within, placed="confirmation")


def report(name: str, licence: str, within: str = "") -> Source:
    """A package of Debian 12's main section that was added when the confirmation's side was known."""
    return Source(name, licence, (name,), within=within, placed="report")


def proof(name: str, licence: str, within: str = "") -> Source:
    """A package of Debian 12's main section that was added when the report's side was known."""
    return Source(name, licence, (name,), within=within, placed="proof")


def drum_kit(artist: str, licence: str, within: str) -> Source:
    """The kits of one author in Debian's hydrogen-drumkits."""
    return Source(f"drum kits of {artist}", licence, ("hydrogen-drumkits",), "debian", within, "", artist)


CONFIRMATION = (
    confirmation("bumprace-data", "GPL-2 and CC-BY-3.0"),
    confirmation("boswars-data", "GPL-2+"),
    confirmation("brainparty-data", "GPL-3+ and CC-BY-SA-3.0"),
    confirmation("btanks-data", "GPL-2+, LGPL-2.1+ and others in its copyright file"),
    confirmation("caveexpress-data", "GPL-3+ and CC-BY-SA-4.0"),
    confirmation("chromium-bsu-data", "Clarified-Artistic"),
    confirmation("endless-sky-data", "GPL-3+, CC-BY-SA-3.0, CC-BY-SA-4.0, CC-BY-4.0 and public domain"),
    confirmation("enigma-data", "GPL-2+"),
    confirmation("freedink-data", "GPL-2+, GPL-3+ and CC-BY-3.0"),
    confirmation("freedroidrpg-data", "GPL-2+, GPL-3 and CC0-1.0"),
    confirmation("glob2-data", "GPL-3+"),
    confirmation("hedgewars-data", "GPL-2 and others in its copyright file", within="/Music/|/Sounds/[^/]+$"),
    confirmation("lugaru-data", "CC-BY-SA-3.0, CC-BY-SA-4.0 and GPL-2+"),
    confirmation("megaglest-data", "CC-BY-SA-3.0 and GPL-2+"),
    confirmation("minetest-data", "CC-BY-SA-3.0 and others in its copyright file"),
    confirmation("openclonk-data", "CC-BY-3.0 and CC0-1.0"),
    confirmation("pathological", "GPL-2+"),
    confirmation("pekka-kana-2-data", "BSD-2-Clause"),
    confirmation("plee-the-bear-data", "CC-BY-SA-3.0 and GPL-2+"),
    confirmation("powermanga-data", "GPL-2+ and GPL-3+"),
    confirmation("pushover-data", "GPL-2+ and GPL-3+"),
    confirmation("ri-li-data", "GPL-2 or GPL-3"),
    confirmation("starvoyager-data", "BSD-2-Clause"),
    confirmation("supertux-data", "GPL-2+, GPL-3+ and others in its copyright file"),
    confirmation("warmux-data", "GPL-2+"),
    confirmation("wesnoth-1.16-music", "GPL-2+"),
    confirmation("xmoto-data", "GPL-2+ and others in its copyright file"),
)

REPORT = (
    report("abe-data", "GPL-2+"),
    report("ardentryst", "GPL-3+ and CC-BY-SA-3.0"),
    report("atanks-data", "GPL-2+"),
    report("blockout2", "GPL-2+ and GPL-3"),
    report("crrcsim-data", "GPL-2"),
    report("etw-data", "GPL-2+"),
    report("flare-game", "CC-BY-SA-3.0+ and GPL-3+"),
    report("foobillardplus-data", "GPL-2"),
    report("freeorion-data", "CC-BY-SA-3.0 and GPL-2"),
    report("gajim", "GPL-3"),
    report("gigalomania-data", "GPL-2+, CC-BY-3.0, CC0-1.0 and others in its copyright file"),
    report("gltron", "GPL-2+"),
    report("hannah-data", "GPL-2"),
    report("linphone-common", "GPL-3+"),
    report("lordsawar-data", "GPL-3+"),
    report("mazeofgalious-data", "GPL"),
    report("micropolis-data", "GPL-3+"),
    report("pax-britannica-data", "Expat"),
    report("phlipple-data", "GPL-3+"),
    report("pink-pony-data", "CC-BY-SA-3.0 and CC0-1.0"),
    report("renpy-demo", "Expat"),
    report("searchandrescue-data", "GPL"),
    report("trackballs-data", "GPL-2+", within=r"/(?!c64revival)[^/]+$"),
    report("unknown-horizons", "CC-BY-SA-3.0 and GPL-2+"),
    report("wizznic-data", "GPL-3"),
    report("yaru-theme-sound", "CC-BY-SA-4.0"),
)

PROOF = (
    proof("7kaa-data", "GPL-2+"),
    proof("adonthell-data", "GPL-2+"),
    proof("amphetamine-data", "GPL-2+"),
    proof("angrydd", "GPL-2"),
    proof("bambam", "GPL-3+"),
    proof("bomberclone-data", "GPL-2"),
    proof("burgerspace", "GPL-2+"),
    proof("circuslinux-data", "GPL"),
    proof("crossfire-client", "GPL-2, GPL-3 or CC-BY-SA-3.0"),
    proof("csmash-data", "GPL-2+"),
    proof("cube2-data", "CC-BY-3.0, CC-BY-SA-3.0, CC-BY-SA-4.0 and others in its copyright file"),
    proof("cuyo-data", "GPL-2+"),
    proof("davegnukem-data", "CC-BY-3.0, CC0-1.0, Expat and GPL-2 or GPL-3"),
    proof("deepin-sound-theme", "GPL-3+"),
    proof("dustracing2d-data", "GPL-3+, CC-BY-SA-3.0 and CC0-1.0"),
    proof("epiphany-data", "GPL-2+"),
    proof("flobopuyo", "GPL-2+"),
    proof("freeciv-data", "GPL-2+"),
    proof("freecol", "GPL-2+, CC-BY-SA-3.0, CC-BY-4.0, CC0-1.0 and public domain"),
    proof("freedroid-data", "GPL-2+"),
    proof("freetennis-common", "GPL-2+"),
    proof("gamine-data", "GPL-3+ and public domain"),
    proof("garden-of-coloured-lights-data", "GPL-3+"),
    proof("geki2", "GPL-2+"),
    proof("geki3", "GPL-2+"),
    proof("gnome-audio", "CC-BY-SA-2.0 and CC-BY-3.0"),
    proof("gnujump-data", "GPL-3+"),
    proof("jag", "GPL-3+"),
    proof("komi", "GPL"),
    proof("lbreakout2-data", "GPL"),
    proof("lomiri-sounds", "CC0-1.0, CC-BY-SA-3.0, CC-BY-4.0 and CC-BY-3.0"),
    proof("madbomber-data", "GPL-2"),
    proof("manaplus-data", "GPL-2+, CC-BY-SA-3.0 and public domain"),
    proof("meritous-data", "GPL-3+"),
    proof("mirrormagic-data", "GPL-2"),
    proof("moon-lander-data", "BSD-2-Clause"),
    proof("naev-data", "public domain, CC-BY-3.0, CC-BY-SA-3.0 and GPL-3"),
    proof("netpanzer-data", "GPL-2+"),
    proof("neverball-common", "GPL-2+"),
    proof("njam-data", "GPL-2+"),
    proof("open-invaders-data", "GPL-2+"),
    proof("orbital-eunuchs-sniper-data", "Zlib"),
    proof("pangzero", "GPL-2+"),
    proof("performous", "GPL-2+"),
    proof("pinball-table-gnu-data", "GPL-2+, GPL-3+, FAL-1.3 and CC-BY-SA-3.0"),
    proof("pinball-table-hurd-data", "GPL-2+, FAL-1.3 and CC-BY-SA-3.0"),
    proof("raincat-data", "BSD-3-Clause and CC-BY-SA-3.0"),
    proof("renpy-thequestion", "Expat"),
    proof("scratch", "CC-BY-SA-3.0"),
    proof("seahorse-adventures", "GPL-2"),
    proof("simutrans-pak64", "Artistic-1.0"),
    proof("solarwolf", "LGPL-2.1"),
    proof("spacezero", "GPL-3+"),
    proof("supertuxkart-data", "CC-BY-SA-3.0, CC-BY-SA-4.0 and others in its copyright file"),
    proof("tecnoballz-data", "GPL-3+"),
    proof("toppler", "GPL-2+"),
    proof("torcs-data", "GPL-2+"),
    proof("triplea", "GPL-2+"),
    proof("trophy-data", "GPL-2"),
    proof("tworld-data", "GPL-2+"),
    proof("ukui-media", "GPL-2+ and GPL-3+"),
    proof("vectoroids", "GPL"),
    proof("vodovod", "GPL-2+"),
    proof("vonsh", "CC0-1.0 and CC-BY-3.0"),
    proof("wesnoth-1.16-data", "GPL-2+"),
    proof("widelands-data", "GPL-2+"),
)

SOURCES = (
    Source(
        "supersonic-scsynth-samples",
        "CC0-1.0",
        ("supersonic-scsynth-samples",),
        registry="npm",
        within=r"\.flac$",
        strokes=r"samples/(bass|bd|drum|elec|hat|perc|ride|sn|tabla)_",
        placed="calibration",
    ),
    Source("arcade", "CC0-1.0", ("arcade",), registry="pypi", placed="calibration"),
    Source("pygame", "LGPL-2.1 and public domain", ("pygame",), registry="pypi", placed="calibration"),
    Source("fadtk", "MIT", ("fadtk",), registry="pypi", placed="benchmark"),
    Source(
        "Kenta Cho's games",
        "BSD-2-Clause",
        (
            "a7xpg-data",
            "gunroar-data",
            "mu-cade-data",
            "noiz2sa-data",
            "parsec47-data",
            "titanion-data",
            "torus-trooper-data",
            "tumiki-fighters-data",
        ),
        artist="Kenta Cho",
    ),
    Source("Tux4Kids", "GPL, CC-BY-SA-3.0 and public domain", ("tuxmath-data", "tuxtype-data")),
    Source("KDE games", "GPL-2+", ("granatier", "kapman", "kgoldrunner")),
    debian("alienblaster-data", "GPL-2+"),
    debian("amoebax-data", "GPL-2+ and Free-Art-License-1.2"),
    debian("asc-music", "GPL-2+", artist="Michael Kievernagel"),
    debian("asterisk-moh-opsound-wav", "CC-BY-SA-3.0"),
    debian("bzflag-data", "LGPL-2.1 or MPL"),
    debian("colobot-common-sounds", "GPL-3+"),
    debian("drascula-music", "Drascula-License, free as Debian reads it", artist="Alcachofa Soft"),
    debian("extremetuxracer-data", "GPL-2+"),
    debian("fillets-ng-data", "GPL-2+", within="/music/|/sound/share/"),
    debian("fretsonfire-songs-muldjord", "CC-BY-SA-3.0", artist="Muldjord"),
    debian("fretsonfire-songs-sectoid", "MIT", artist="Carlos Viola Iborra"),
    debian("frozen-bubble-data", "GPL-2"),
    debian("funnyboat", "GPL-2"),
    debian("heroes-sound-effects", "GPL-2+"),
    debian("hex-a-hop-data", "GPL-2+, CC-BY-3.0 and CC-BY-SA-3.0"),
    debian("holotz-castle-data", "GPL-2+"),
    debian("hyperrogue-music", "GPL-2+, CC0-1.0, CC-BY-3.0, CC-BY-SA-3.0 and CC-BY-SA-4.0"),
    debian("lincity-ng-data", "GPL-2+"),
    debian(
        "lmms-common",
        "GPL-2+",
        within="/samples/(bass|beats|drums|effects|instruments|latin|misc|stringsnpads)",
        strokes="/samples/(basses|drums|instruments|latin|stringsnpads)/",
    ),
    debian("marsshooter-data", "CC-BY-SA-3.0 and public domain"),
    debian("monsterz-data", "WTFPL and others in its copyright file"),
    debian("opencity-data", "GPL-2+"),
    debian("oxygen-sounds", "LGPL-3+", artist="Nuno Filipe Povoa"),
    debian("pinball-data", "GPL-2"),
    debian("pingus-data", "GPL-2+"),
    debian("planetblupi-music-ogg", "GPL-3+"),
    debian("pokerth-data", "GPL-2+ and others in its copyright file"),
    debian("scorched3d-data", "GPL-2+"),
    debian("singularity-music", "CC-BY-SA-3.0", artist="Max McCracken"),
    debian("sound-theme-freedesktop", "GPL-2+, CC-BY-3.0 and CC-BY-SA-3.0"),
    debian("starfighter-data", "GPL-2+"),
    debian("stormbaancoureur-data", "GPL-3+"),
    debian("tuxfootball", "GPL-2+"),
    debian("warzone2100-music", "GPL-2+, CC0-1.0 and CC-BY-SA-3.0"),
    debian("wordwarvi-sound", "GPL-2+ and CC-BY-SA-3.0"),
    debian("zaz-data", "GPL-3+ and CC-BY-SA-3.0"),
    drum_kit("Artemiy Pavlov", "GPL-2+", "/(ElectricEmpireKit|HardElectro1|VariBreaks)/"),
    drum_kit("audiophobdubstep", "CC0-1.0", "/Audiophob/"),
    drum_kit("Emanuel Rumpf", "CC-BY-3.0", "/rumpf_kit_z01_h2/"),
    drum_kit("Emiliano Grilli", "GPL-2", "/Millo"),
    drum_kit("Glen MacArthur", "GPL-2", "/(Gimme A Hand|The Black Pearl)"),
    drum_kit("Jim Harney", "CC-BY-SA-3.0", "/circAfrique"),
    drum_kit("Luc Tunguay", "CC-BY-SA-3.0-US", "/BJA_Pacific/"),
    drum_kit("Marcos Guglielmetti", "GPL-2+ with an exception for compositions", "/ColomboAcousticDrumkit/"),
    drum_kit("Vladimir Sadovnikov", "GPL-2", "/ForzeeStereo/"),
    *CONFIRMATION,
    *REPORT,
    *PROOF,
)
