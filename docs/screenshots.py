"""Takes pictures of every page of `simsa view`: `python docs/screenshots.py OUTDIR [RUN...]`.

Over the demo with recorded answers, unless RUNs are given; at the widths of a desk, a
tablet and a phone, in light and in dark. Needs selenium (the dev extra) and Chromium.
"""

from __future__ import annotations

import base64
import itertools
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from selenium import webdriver

from simsa.rubrics import built_in_criteria
from simsa.store import Store, results
from simsa.store.labels import Labels
from simsa.web.labeling import LabelingDesk

CRITERIA = built_in_criteria().names
WIDTHS = (1400, 800, 390)
SCHEMES = ("light", "dark")
ANNOTATORS = ("지우", "하늘")


def main(out: Path, given: list[Path]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        runs = given or demo(Path(scratch))
        with served(runs) as address:
            browser = chromium()
            try:
                for path, name in pages(runs[0]):
                    for width, scheme in itertools.product(WIDTHS, SCHEMES):
                        picture(browser, address + path, width, scheme, out / f"{name}-{width}-{scheme}.png")
            finally:
                browser.quit()


def demo(folder: Path) -> list[Path]:
    """Two runs of the demo; people have labelled some answers of the first."""
    runs = []
    for name, limit in (("before", 60), ("after", 60), ("smaller", 30)):
        simsa("demo", "--replay", "-q", "--limit", str(limit), "--out", str(folder / name))
        runs.append((folder / name / "simsa.simsa").rename(folder / f"{name}.simsa"))
    label(runs[0])
    return runs


def label(run: Path) -> None:
    """What two people could have said: mostly as the judge."""
    LabelingDesk(run).draw(90, seed=0)
    chance = random.Random(1)
    with Store.read(run) as store:
        judged = {(r.question_id, r.variant): r.scores for r in results(store)}
    with Labels(run) as labels:
        for name, n in zip(ANNOTATORS, (84, 40), strict=True):
            for item in labels.items(name)[:n]:
                for criterion in CRITERIA:
                    score = judged[item.question_id, item.variant][criterion]
                    near = min(5, max(1, score + chance.choice((0, 0, 0, 0, 1, -1))))
                    labels.score(name, item, criterion, near)


def pages(run: Path) -> Iterator[tuple[str, str]]:
    """Address and name of each page."""
    with Store.read(run) as store:
        some = list(store.question_ids())[6 % store.count("questions")]
    yield "runs", "runs"
    yield "0/", "overview"
    yield "0/questions?sort=diff&down=1", "questions"
    yield f"0/question?id={quote(some)}", "question"
    yield "0/label", "begin"
    yield "0/label#" + quote(ANNOTATORS[0]), "label"
    yield "0/calibration", "calibration"


def picture(browser: webdriver.Chrome, address: str, width: int, scheme: str, file: Path) -> None:
    """The whole page, from top to bottom; a name behind # sits down at the desk first."""
    address, _, name = address.partition("#")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    wanted = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    browser.delete_all_cookies()
    browser.get(address)
    if name:
        browser.add_cookie({"name": "simsa-annotator", "value": name})
        browser.get(address)
    while browser.find_elements("css selector", "meta[http-equiv=refresh]"):
        browser.get(address)
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
    file.write_bytes(base64.b64decode(shot["data"]))
    print(file)


def chromium() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--lang=ko"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or ""
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver") or "")
    return webdriver.Chrome(options=options, service=service)


@contextmanager
def served(runs: list[Path]) -> Iterator[str]:
    command = [sys.executable, "-m", "simsa", "view", *map(str, runs), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def simsa(*argv: str) -> None:
    subprocess.run([sys.executable, "-m", "simsa", *argv], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(run) for run in sys.argv[2:]])
