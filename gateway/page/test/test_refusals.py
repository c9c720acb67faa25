"""What the server refuses is said in the page's language, where it is known."""

from typing import Any

import pytest
from conftest import find_barriers
from mock_door import Door
from playwright.async_api import Page, expect
from steps import PROMPT, develop, job_view, open_with


async def in_japanese(page: Page) -> None:
    await page.get_by_role("button", name="日本語").click()
    await page.get_by_label("プロンプト").last.fill(PROMPT)


def invalid(field: str, description: str) -> dict[str, Any]:
    """As the door says what the service found in a job's request."""
    return {
        "code": 3,
        "message": description,
        "reason": "INVALID_FIELD",
        "field_violations": [
            {"field": f"request.{field}", "description": description}
        ],
    }


@pytest.mark.parametrize(
    ("field", "english", "japanese"),
    [
        (
            "steps",
            "steps 25 is over the key's limit, 20",
            "ステップ数「25」はこのキーの上限の20を超えています",
        ),
        (
            "width",
            "the picture has 16384 pixels, the key's limit is 4096",
            "画像は16384画素で、このキーの上限の4096画素を超えています",
        ),
        (
            "prompt",
            "prompt has 9000 bytes, the limit is 8192",
            "プロンプトは9000バイトで、上限の8192バイトを超えています",
        ),
        (
            "hires.width",
            "hires.width 4096 is not between 64 and 1024",
            "幅「4096」は64から1024までの範囲にありません",
        ),
        (
            "guidance.end",
            "guidance.end 0.2 is not between 0.5 and 1",
            "終了「0.2」は0.5から1までの範囲にありません",
        ),
        (
            "guidance.skip_layers",
            "guidance.skip_layers needs a guidance.skip_layer_scale",
            "省略する層には層の省略が必要です",
        ),
        (
            "variation.strength",
            'variation: model "emaki" does not take it; of such fields it '
            "takes: hires, loras",
            "モデル「emaki」では変化を使えません",
        ),
    ],
)
async def test_a_field_is_refused_in_the_pages_language(
    page: Page, door: Door, field: str, english: str, japanese: str
) -> None:
    await open_with(
        page, door, "hires", "variation", "guidance.end", "guidance.skip_layers",
        "guidance.skip_layer_scale",
    )  # fmt: skip
    await page.get_by_label("Prompt").last.fill(PROMPT)
    # What has no place yet is there once something asks for it.
    await page.get_by_text("Larger, in a second pass").check()
    scale = page.locator('[name="guidance.skip_layer_scale"]')
    await scale.evaluate("it => it.closest('details').open = true")
    await scale.fill("1")
    door.refusals.append((400, invalid(field, english)))
    await page.get_by_role("button", name="Develop").click()
    await expect(page.get_by_text(english, exact=True)).to_be_visible()
    # What is there already follows.
    await page.get_by_role("button", name="日本語").click()
    await expect(page.get_by_text(japanese, exact=True)).to_be_visible()
    await expect(page.get_by_text(english, exact=True)).to_have_count(0)
    assert await find_barriers(page) == []


@pytest.mark.parametrize(
    ("status", "error", "japanese"),
    [
        (
            429,
            {
                "code": 14,
                "message": "the queue is full: 64 jobs wait, the limit is 64",
                "reason": "QUEUE_FULL",
            },
            "サーバーが混み合っています（64件が待機中）。",
        ),
        (
            429,
            {
                "code": 8,
                "message": "the job costs 3 units and the key may spend 1 a "
                "minute (cost_per_minute)",
                "reason": "QUOTA_EXCEEDED",
            },
            "このキーの利用上限に達しました。",
        ),
        (
            403,
            {
                "code": 7,
                "message": 'model "emaki" is not one of the key\'s: sumi, ukiyo',
                "reason": "MODEL_NOT_ALLOWED",
            },
            "このキーではモデル「emaki」を使えません。使えるモデル：sumi, ukiyo",
        ),
        (
            422,
            {
                "code": 9,
                "message": 'model "emaki" could not be loaded: no such file',
                "reason": "MODEL_FAILED",
            },
            "モデルを読み込めませんでした",
        ),
        # A field that the form does not have.
        (
            400,
            invalid("eta", "eta 2 is not between 0 and 1"),
            "eta「2」は0から1までの範囲にありません",
        ),
        # What nobody has translated.
        (
            400,
            {"code": 3, "message": "the moon is full", "reason": "MOON"},
            "the moon is full",
        ),
    ],
)
async def test_a_request_is_refused_in_the_pages_language(
    page: Page, door: Door, status: int, error: dict[str, Any], japanese: str
) -> None:
    await in_japanese(page)
    door.refusals.append((status, error))
    await page.get_by_role("button", name="現像する").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text(f"送信できませんでした：{japanese}")
    await page.get_by_role("button", name="English").click()
    await expect(alert).to_contain_text(f"Not sent: {error['message']}")


async def test_a_job_fails_in_the_pages_language(
    page: Page, door: Door
) -> None:
    job = await develop(page, door)
    await job.started()
    details = [
        {"@type": "type.googleapis.com/google.rpc.DebugInfo"},
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo",
         "reason": "NOT_FINITE"},
    ]  # fmt: skip
    status = {"code": 13, "message": "latents are NaN", "details": details}
    await job.tell("image_failed", {"image_index": 0, "status": status})
    await job.tell("ended", {"state": "JOB_STATE_FAILED", "status": status})
    view = job_view(page)
    await expect(view.get_by_text("latents are NaN")).to_have_count(2)
    # Nothing is shown where there is nothing.
    await expect(view.locator(".paper")).to_be_hidden()
    await page.get_by_role("button", name="日本語").click()
    await expect(view.get_by_text("計算の途中で値があふれました")).to_have_count(2)
    # A reload keeps the reason.
    await page.reload()
    await expect(view.get_by_text("計算の途中で値があふれました")).to_have_count(2)
