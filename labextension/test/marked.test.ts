// Markdown of artifacts and outputs, as the kernel's trees become elements.

import assert from "node:assert/strict";
import { test } from "node:test";
import { marked } from "../src/view/marked";
import { artifact, display } from "../src/view/parts";
import type { Marked } from "../src/wire";
import { newPage } from "./dom";

newPage();

const EVIL = "<img src=x onerror=evil()>";

function htmlOf(...tree: Marked[]): string {
  return marked(tree).innerHTML;
}

test("nodes become elements, and headings stand below that of the drawer", () => {
  assert.equal(
    htmlOf(["h1", ["a"]], ["h4", ["b"]], ["p", ["x ", ["strong", ["y"]], ["br", []], ["code", ["z"]]]], ["hr", []]),
    "<h4>a</h4><h6>b</h6><p>x <strong>y</strong><br><code>z</code></p><hr>",
  );
  assert.equal(
    htmlOf(["ul", [["li", ["a", ["ol", [["li", ["b"]]], 7]]]]], ["blockquote", [["p", ["c"]]]]),
    '<ul><li>a<ol start="7"><li>b</li></ol></li></ul><blockquote><p>c</p></blockquote>',
  );
  assert.equal(
    htmlOf(
      [
        "table",
        [
          ["tr", [["th", ["a"], "right"]]],
          ["tr", [["td", ["1"], "right"]]],
        ],
      ],
      ["pre", ["x\n y"]],
    ),
    '<table tabindex="0"><tr><th scope="col" class="is-right">a</th></tr><tr><td class="is-right">1</td></tr></table>' +
      '<pre tabindex="0">x\n y</pre>',
  );
});

test("links open in a new tab, tell their address, and lead to the web or to mail only", () => {
  const [web, mail, ...others] = marked(
    [
      "https://x.org/?a",
      "MAILTO:a@b.c",
      "javascript:evil()",
      " javascript:evil()",
      "data:text/html,x",
      "//x.org",
      "",
    ].map((address): Marked => ["a", ["see"], address]),
  ).querySelectorAll("a");

  assert.equal(
    web?.outerHTML,
    '<a href="https://x.org/?a" title="https://x.org/?a" target="_blank" rel="noopener noreferrer">see</a>',
  );
  assert.equal(mail?.getAttribute("href"), "MAILTO:a@b.c");
  assert.deepEqual(
    others.map((one) => one.outerHTML),
    Array(5).fill("<a>see</a>"),
  );
});

test("text is text in every kind of node", () => {
  for (const kind of ["p", "h1", "li", "code", "pre", "a", "td", "strong"]) {
    const shown = marked([[kind, [EVIL]]]);

    assert.equal(shown.textContent, EVIL);
    assert.equal(shown.querySelectorAll("img").length, 0);
  }
});

test("kinds that are not known are their text, and what makes no sense is left out", () => {
  for (const kind of ["script", "img", "iframe", "style", "constructor", "__proto__", "P", "H1"])
    assert.equal(htmlOf([kind, ["a", ["em", ["b"]]], "https://x.org"]), "a<em>b</em>");
  for (const odd of [null, 7, {}, { kind: "p" }, [], ["p"], ["p", "text"], ["p", [null]], [["p"], []]])
    assert.equal(marked([odd as unknown as Marked]).textContent, "");
  assert.equal(marked({} as unknown as Marked[]).innerHTML, "");
});

test("attributes come from a node only where it has some to give", () => {
  assert.equal(htmlOf(["p", ["a"], "https://x.org"], ["td", ["b"], "x onclick"]), "<p>a</p><td>b</td>");
  assert.equal(htmlOf(["ol", [], "7"], ["ul", [], 7]), "<ol></ol><ul></ul>");
});

test("a tree without an end is shown to a depth", () => {
  const endless: unknown[] = ["em", []];
  endless[1] = ["x", endless];

  assert.ok((marked([endless as unknown as Marked]).textContent?.length ?? 0) < 100);
});

test("artifacts and outputs show their trees; a text without one stands as it is written", () => {
  const tree: Marked[] = [["p", [["em", ["3"]]]]];

  assert.equal(
    artifact({ key: "note", marked: tree }).innerHTML,
    '<b>note</b><div class="nbflow-marked"><p><em>3</em></p></div>',
  );
  assert.equal(display({ marked: tree })?.outerHTML, '<div class="nbflow-marked"><p><em>3</em></p></div>');
  assert.equal(
    artifact({ key: "note", text: `# **3** ${EVIL}` }).querySelector("p")?.innerHTML,
    "# **3** &lt;img src=x onerror=evil()&gt;",
  );
  assert.equal(
    artifact({ key: "raw", plain: "2 bytes. `get` writes it." }).querySelector("p")?.innerHTML,
    "2 bytes. <code>get</code> writes it.",
  );
});
