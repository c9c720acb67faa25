"""Makes captions as untidy as real prompts, without changing what they mean."""

import numpy as np

_OTHER_WORDS = (
    "masterpiece", "4k", "8k", "hd", "cinematic", "happy", "sad", "sleeping",
    "running", "flying", "dancing", "magical", "mysterious", "epic", "vintage",
    "modern", "old", "new", "young", "famous", "trending", "artstation",
    "realistic", "render", "unreal", "engine", "concept", "illustration",
    "soft", "warm", "cold", "quiet", "lonely", "smiling", "angry", "dreamy",
    "colorful", "please", "draw", "show", "me", "with", "very", "some", "art",
    "style", "dramatic", "lighting", "portrait", "closeup", "wearing", "hat",
    "glasses", "eating", "sitting", "standing", "jumping", "best", "quality",
    "かわいい", "美しい", "きれいな", "高品質", "傑作", "幸せな", "走る", "眠る",
    "不思議な", "有名な", "古い", "新しい", "描いて", "イラスト", "静かな",
)
_SYLLABLES = ("ba", "ke", "lo", "mi", "nu", "ra", "sto", "ver", "qui", "zan",
              "plo", "gri", "fen", "dor", "tex", "ula")


def _stray_word(rng: np.random.Generator) -> str:
    """A word without meaning here: a known one, or one that nobody knows."""
    if rng.random() < 0.6:
        return _OTHER_WORDS[rng.integers(len(_OTHER_WORDS))]
    count = int(rng.integers(2, 4))
    return "".join(rng.choice(_SYLLABLES, count))


def untidy(text: str, rng: np.random.Generator, share: float = 0.25) -> str:
    """With probability `share`, adds stray words or drops small ones."""
    if rng.random() >= share:
        return text
    words = text.split(" ")
    if len(words) > 3 and rng.random() < 0.3:
        words = [w for w in words if w not in ("a", "an", "the", "of")]
    for _ in range(int(rng.integers(1, 3))):
        # Between the words of a name, a stray word would break the name.
        edge = 0 if rng.random() < 0.5 else len(words)
        words.insert(edge, _stray_word(rng))
    return " ".join(words)
