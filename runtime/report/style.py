"""The report's style sheet."""

from runtime.drawing.svg import STYLE

CSS = (
    """
:root { color-scheme: light dark; --ink: #1c2430; --page: #f4f6f9; --card: #ffffff;
  --line: #d5dbe3; --soft: #566173; --hot: 21 101 192; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --page: #0d1015; --card: #14181f;
  --line: #38414e; --soft: #9aa5b5; --hot: 100 181 246; --bad: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.6rem; margin: 8px 0 16px; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 12px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px; margin-bottom: 16px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 10px; min-width: 0; }
.card b { display: block; font-size: 1.3rem; overflow-wrap: anywhere; }
.card span:not([data-key]), small, figcaption, .legend { color: var(--soft); }
.card small { display: block; font-size: .75rem; overflow-wrap: anywhere; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 12px; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; padding: 8px; min-width: 0; }
figure.wrong { border-color: var(--bad); }
.pair { display: flex; gap: 6px; } .pair img { flex: 1 1 0; min-width: 0; width: 100%;
  image-rendering: pixelated; border-radius: 4px; }
figcaption { font-size: .8rem; margin-top: 6px; overflow-wrap: anywhere; }
figcaption b { color: var(--ink); } .truth { color: var(--bad); }
.scale { display: inline-block; width: 80px; height: 10px; border-radius: 3px;
  background: linear-gradient(90deg, #18183c, #7b1f78, #e55c30, #fcfcaa); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: 4px 10px; border: 1px solid var(--line); }
th { font-weight: 600; text-align: left; white-space: nowrap; }
td[style] { background: rgb(var(--hot) / calc(var(--v) * .55)); text-align: right; }
.identity td { overflow-wrap: anywhere; }
.figures td, .figures tr:first-child th:not(:first-child) { text-align: right; }
.figures td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.figures th { white-space: normal; overflow-wrap: break-word; }
@media (max-width: 600px) { main { padding: 8px; } section { padding: 12px; }
  .figures { font-size: .8rem; } .figures th, .figures td { padding: 4px 6px; } }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
  gap: 12px; }
.charts svg { width: 100%; max-width: 520px; height: auto; border: 1px solid var(--line);
  border-radius: 8px; }
.none { color: var(--soft); font-style: italic; }
"""
    + STYLE
)
