"""Milliseconds from a mouse move to the painted picture, timed inside the browser."""

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.explorer_state import STEP

N_MOVES = 30
N_STEPS = (SWEEP[1] - SWEEP[0]) / STEP

# `arrived` is called when a new picture is in the document; a message posted from a frame is answered after its paint.
_WATCH = """
window.painted = [];
let moved = 0;
addEventListener("mousemove", event => { moved = event.timeStamp; }, true);
function arrived() {
  const since = moved, channel = new MessageChannel();
  channel.port1.onmessage = () => painted.push(performance.now() - since);
  channel.port2.postMessage(0);
}
"""
OF_AN_IMAGE = "selector => {" + _WATCH + """
  let shown = document.querySelector(selector).src;
  new MutationObserver(async () => {
    const image = document.querySelector(selector);
    if (!image || image.src === shown) return;
    shown = image.src;
    await image.decode();
    requestAnimationFrame(arrived);
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
}"""
OF_A_CANVAS = "selector => {" + _WATCH + """
  const context = document.querySelector(selector).getContext("2d"), put = context.putImageData;
  context.putImageData = (...given) => { put.apply(context, given); arrived(); };  // the page draws within a frame
}"""


def of_a_drag(page, selector, watch, handle, track):
    """Drag a slider, one move at a time, each waited for.

    Args:
        watch: OF_AN_IMAGE or OF_A_CANVAS, which watches what `selector` finds.
        handle: where the mouse takes hold, (x, y).
        track: the slider's width in pixels; each move is a little more than a step, so that each gives a new picture.
    """
    (x, y), step = handle, 1.2 * track / N_STEPS
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(watch, selector)
    for i in range(N_MOVES):
        out_and_back = N_MOVES // 2 - abs(N_MOVES // 2 - i - 1)
        page.mouse.move(x + out_and_back * step, y)
        page.wait_for_function("n => painted.length > n", arg=i)
    page.mouse.up()
    return page.evaluate("painted")
