"""What the bots say, in English and Japanese."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import genzo

LANGUAGES = ("en", "ja")

_TEXTS = {
    "accepted": ("Your picture is on its way.", "画像を作成しています。"),
    "undelivered": (
        "The picture is painted, but it cannot be sent here.",
        "画像はできましたが、ここに送ることができませんでした。",
    ),
    "queued": ("In the queue behind {0}.", "順番待ちです（前に{0}件）。"),
    "queued_time": (
        "In the queue behind {0}, about {1} s.",
        "順番待ちです（前に{0}件、あと約{1}秒）。",
    ),
    "step": ("Step {0} of {1}.", "現像中 {0}/{1}"),
    "step_time": (
        "Step {0} of {1}, about {2} s left.",
        "現像中 {0}/{1}（あと約{2}秒）",
    ),
    "tile": ("Tile {0} of {1}.", "拡大中 {0}/{1}"),
    "tile_time": (
        "Tile {0} of {1}, about {2} s left.",
        "拡大中 {0}/{1}（あと約{2}秒）",
    ),
    "cancel": ("Cancel", "中止"),
    "again": ("Again", "もう一度"),
    "vary": ("Variation", "バリエーション"),
    "upscale": ("Upscale", "拡大"),
    "cancelled": ("Cancelled.", "中止しました。"),
    "not_yours": (
        "Only the one who asked for this picture may do that.",
        "この操作は依頼した本人だけができます。",
    ),
    "gone": (
        "That picture is too old to be worked on.",
        "この画像は古いため操作できません。",
    ),
    "no_prompt": (
        "Say what to paint: /imagine a red fox in the snow",
        "描きたいものを書いてください。例: 雪の中の赤い狐",
    ),
    "no_start": (
        "--strength, --shows, --extend, --control, --canny, --look and"
        " --enlarge are for a picture that you send along.",
        "strength・shows・extend・control・canny・look・enlarge は画像と一緒に"
        "送る場合だけ使えます。",
    ),
    "no_mask": (
        "--mask needs a second picture, which cannot be sent along here."
        " Genzo's page paints masks.",
        "mask には2枚目の画像が必要ですが、ここでは送れません。Genzoの"
        "ページではマスクを描けます。",
    ),
    "no_file": (
        "The picture cannot be read ({0}).",
        "画像を取得できませんでした（{0}）。",
    ),
    "lost_file": (
        "The picture could not be fetched. Try again.",
        "画像を取得できませんでした。もう一度お試しください。",
    ),
    "large_start": (
        "The picture has {0} MB, the limit is {1}.",
        "画像が{0} MBあります（上限{1} MB）。",
    ),
    "no_entry": (
        "The bot cannot write here ({0}). Invite it to the channel, then ask"
        " again.",
        "ボットはここに投稿できません（{0}）。チャンネルに招待してから"
        "もう一度お試しください。",
    ),
    "running": (
        "You have {0} pictures under way, the limit is {1}. Wait for one.",
        "作成中の画像が{0}件あります（上限{1}件）。完成をお待ちください。",
    ),
    "hourly": (
        "The limit is {0} pictures in an hour. Try again in {1} min.",
        "1時間の上限（{0}枚）を超えます。{1}分後にお試しください。",
    ),
    "too_many": (
        "That is {0} pictures to draw, the limit is {1} in an hour.",
        "{0}枚を描くことになります（1時間の上限{1}枚）。",
    ),
    "busy": (
        "The server is full. Try again in {0} s.",
        "サーバーが混み合っています。{0}秒後にお試しください。",
    ),
    "away": (
        "The server cannot be reached. Try again later.",
        "サーバーに接続できません。しばらくしてからお試しください。",
    ),
    "invalid": ("That does not work: {0}", "リクエストに誤りがあります: {0}"),
    "fault": (
        "Something went wrong. Try again later.",
        "エラーが起きました。しばらくしてからお試しください。",
    ),
    "failed": ("It did not work out: {0}", "作成できませんでした: {0}"),
    "withheld": (
        "The picture was made and is withheld: {0}.",
        "画像は規定により表示できません（{0}）。",
    ),
    "no_picture": (
        "No picture came of it.",
        "画像を作成できませんでした。",
    ),
}
# Reasons of a server that takes the same request a little later.
_FULL = {"QUEUE_FULL", "TOO_MANY_STREAMS", "QUOTA_EXCEEDED"}
# What safety checkers find, by the names that the server gives it.
_FINDINGS = {"nsfw": ("not safe for work", "職場に不適切な内容")}


def say(language: str, key: str, *values: object) -> str:
    """A text by its key. Languages that there is none for get English."""
    texts = dict(zip(LANGUAGES, _TEXTS[key], strict=True))
    return texts.get(language, texts["en"]).format(*values)


def queued(language: str, event: genzo.Queued) -> str:
    if event.time_left is None:
        return say(language, "queued", event.position)
    return say(
        language, "queued_time", event.position, _seconds(event.time_left)
    )


def progress(language: str, event: genzo.Progress, of: str = "step") -> str:
    """`of`: what is counted, "step" or "tile"."""
    if event.time_left is None:
        return say(language, of, event.step, event.steps)
    return say(
        language,
        f"{of}_time",
        event.step,
        event.steps,
        _seconds(event.time_left),
    )


def withheld(language: str, findings: Iterable[str]) -> str:
    """Why pictures that were made are not shown."""
    names = sorted(set(findings))
    if not names:
        return say(language, "no_picture")
    texts = [
        dict(zip(LANGUAGES, _FINDINGS[name], strict=True)).get(
            language, _FINDINGS[name][0]
        )
        if name in _FINDINGS
        else name
        for name in names
    ]
    return say(language, "withheld", ", ".join(texts))


def error(language: str, fault: genzo.GenzoError) -> str:
    """For the person who asked, without codes."""
    match fault:
        case genzo.Cancelled():
            return say(language, "cancelled")
        case genzo.InvalidRequest() if fault.fields:
            return say(
                language,
                "invalid",
                "; ".join(field.description for field in fault.fields),
            )
        case genzo.Unavailable(code="UNAVAILABLE", reason=""):
            return say(language, "away")
        case genzo.Unavailable() if fault.reason in _FULL:
            wait = 30 if fault.retry_after is None else fault.retry_after
            return say(language, "busy", f"{wait:.0f}")
    return say(language, "failed", fault.message)


def _seconds(time: timedelta) -> str:
    return f"{max(1, round(time.total_seconds()))}"
