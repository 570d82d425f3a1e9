"""The words by which captions name instruments and families, for the listener: `listener.json`.

A name stands for one instrument; the word of a family ("organ") for whatever of it may be meant.
"""

from __future__ import annotations

from lab.instruments import INSTRUMENTS, KITS

_MORE = {
    "grand piano": ("upright piano",),
    "electric piano": ("rhodes", "wurlitzer"),
    "drawbar organ": ("tonewheel organ",),
    "church organ": ("cathedral organ",),
    "tubular bells": ("church bells", "chimes"),
    "kalimba": ("mbira",),
    "steel drum": ("steelpan", "steel pan"),
    "nylon guitar": ("spanish guitar",),
    "overdriven guitar": ("distorted guitar", "distortion guitar"),
    "upright bass": ("contrabass",),
    "bass guitar": ("fingered bass", "electric bass"),
    "saw lead": ("sawtooth lead",),
    "square lead": ("square wave lead", "chip lead"),
    "violin": ("fiddle",),
    "brass section": ("brass",),
    "alto saxophone": ("sax", "alto sax"),
    "pan flute": ("panpipes", "pan pipes"),
    "acoustic kit": ("acoustic kit", "acoustic drum kit", "live kit", "live drum kit"),
    "room kit": ("room kit",),
    "power kit": ("power kit",),
    "electronic kit": ("electronic kit",),
    "808 kit": ("808", "808 kit"),
    "jazz kit": ("jazz kit",),
    "brush kit": ("brushes", "brush kit", "brushed kit"),
}
WORDS = {
    name: (*names, *_MORE.get(name, ()))
    for name, names in (
        *((i.names[0], i.names) for i in INSTRUMENTS),
        *((f"{kit} kit", names) for kit, (_, names) in KITS.items()),
    )
}
FAMILY_WORDS = {
    "bass": ("bass",),
    "bells": ("bell", "mallets"),
    "drums": ("drum", "drum kit", "percussion", "beat", "breakbeat", "tom", "snare", "kick", "hi-hat",
              "cymbal"),
    "guitar": ("guitar",),
    "keys": ("organ", "keyboard", "keys"),
    "leads": ("lead", "synth lead"),
    "pads": ("pad", "synth pad"),
    "strings": ("strings",),
    "winds": ("horn", "woodwind", "winds"),
}  # fmt: skip
