"""A small library to search in, and a slightly larger crowd around it."""

from __future__ import annotations

from orchestrator.skill import IndexedSkill

SKILLS = (
    IndexedSkill(
        "photo/pixel-art",
        "pixel-art",
        "Turn pictures into pixel art with the palettes of old consoles.",
        "# Pixel art\n\nReduce the resolution, quantise the colours, save as PNG.",
    ),
    IndexedSkill(
        "office/invoices",
        "invoices",
        "Write invoices for customers. Use when somebody is to be billed.",
        "# Invoices\n\nTake the next number, add the tax, write the PDF.",
        triggers=("bill the customer for May", "charge Acme for the workshop"),
    ),
    IndexedSkill(
        "shop/products",
        "shop-products",
        "Change products of the web shop.",
        "# Products\n\n```\nmutation { productVariantsBulkUpdate(input: $x) { id } }\n```\n",
    ),
    IndexedSkill(
        "ops/backups",
        "backups",
        "Save databases at night and restore them after an accident.",
        "# Backups\n\nRun pg_dump, copy the file to another site, test the restore.",
    ),
    IndexedSkill(
        "lang/chinese",
        "chinese-lessons",
        "学习汉语的课程和练习",
        "# 课程\n\n每天学习十个新词。",
    ),
)

_CROWD = (
    "bread", "trains", "glaciers", "violins", "tulips", "chess", "sailing", "beetles", "castles",
    "volcanoes", "opera", "cycling", "cheese", "comets", "pottery", "tides", "spiders", "jazz",
)  # fmt: skip

CROWD = tuple(
    IndexedSkill(f"crowd/{topic}", topic, f"Facts about {topic}.", f"What to know about {topic}.")
    for topic in _CROWD
)
