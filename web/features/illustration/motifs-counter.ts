// Things on a coffee shop's counter, drawn to stand at y = 620 around x = 400 on an 800 × 800 picture.
import type { Palette } from './palette';

export type Motif = (palette: Palette) => string;

const steam = (x: number, y: number, color: string) =>
  `<g fill="none" stroke="${color}" stroke-width="10" stroke-linecap="round" opacity=".75">` +
  `<path d="M${x - 45} ${y}c-26-34 26-52 0-90"/><path d="M${x} ${y - 8}c-26-34 26-52 0-90"/>` +
  `<path d="M${x + 45} ${y}c-26-34 26-52 0-90"/></g>`;

export const cup: Motif = (p) =>
  steam(385, 300, p.light) +
  `<ellipse cx="390" cy="612" rx="230" ry="26" fill="${p.light}"/><ellipse cx="390" cy="606" rx="230" ry="22" fill="${p.main}" opacity=".25"/>` +
  `<path d="M565 390h36c74 0 74 132 0 132h-48" fill="none" stroke="${p.light}" stroke-width="34"/>` +
  `<path d="M200 340h380l-34 196c-9 46-44 72-92 72H326c-48 0-83-26-92-72L200 340Z" fill="${p.light}"/>` +
  `<path d="M213 414h354l-8 46H221z" fill="${p.main}"/><g fill="${p.light}">${[
    250, 310, 370, 430, 490,
  ]
    .map((x) => `<path d="M${x + 15} 420l17 17-17 17-17-17z"/>`)
    .join('')}</g>` +
  `<path d="M224 476h332l-4 20H228z" fill="${p.accent}"/>` +
  `<ellipse cx="390" cy="340" rx="190" ry="36" fill="${p.light}"/><ellipse cx="390" cy="344" rx="166" ry="27" fill="${p.deep}"/>` +
  `<path d="M270 346c50 18 180 18 236-4" stroke="${p.sun}" stroke-width="7" fill="none" opacity=".8" stroke-linecap="round"/>`;

export const bag: Motif = (p) =>
  `<path d="M258 262c-26 90-34 250-18 346h320c16-96 8-256-18-346z" fill="${p.main}"/>` +
  `<path d="M258 262h284l-14-66H272z" fill="${p.deep}"/><path d="M272 196h256v20H272z" fill="${p.light}" opacity=".35"/>` +
  `<path d="M258 262c40 34 30 250 10 346h-28c-16-96-8-256 18-346z" fill="${p.deep}" opacity=".22"/>` +
  `<circle cx="405" cy="430" r="108" fill="${p.light}"/>` +
  `<g transform="rotate(28 405 430)"><ellipse cx="405" cy="430" rx="46" ry="68" fill="${p.deep}"/><path d="M405 364c-26 40 26 92 0 132" stroke="${p.light}" stroke-width="9" fill="none"/></g>` +
  `<path d="M262 566h278v22H262z" fill="${p.accent}"/>` +
  beans(p, [
    [170, 606, -20],
    [212, 620, 40],
    [610, 612, 15],
    [650, 598, -50],
  ]);

function beans(p: Palette, at: readonly (readonly [number, number, number])[]): string {
  return at
    .map(
      ([x, y, turn]) =>
        `<g transform="rotate(${turn} ${x} ${y})"><ellipse cx="${x}" cy="${y}" rx="26" ry="18" fill="${p.deep}"/><path d="M${x - 24} ${y}c14-10 34 10 48 0" stroke="${p.sun}" stroke-width="4" fill="none"/></g>`,
    )
    .join('');
}

export const kettle: Motif = (p) =>
  `<path d="M262 400c-70-20-96-60-132-150l-34 14c26 110 62 190 164 230z" fill="${p.main}"/>` +
  `<path d="M262 400c-70-20-96-60-132-150l-18 8c34 94 70 150 150 178z" fill="${p.light}" opacity=".25"/>` +
  `<path d="M540 330c140-60 170 150 30 196" fill="none" stroke="${p.deep}" stroke-width="32" stroke-linecap="round"/>` +
  `<path d="M286 300h240l62 250c10 42-16 66-56 66H280c-40 0-66-24-56-66z" fill="${p.main}"/>` +
  `<path d="M300 316h54l-38 284h-42c-30 0-44-20-38-48z" fill="${p.light}" opacity=".28"/>` +
  `<path d="M280 300c0-52 60-76 126-76s126 24 126 76z" fill="${p.accent}"/><circle cx="406" cy="206" r="24" fill="${p.deep}"/>` +
  `<path d="M236 552h340" stroke="${p.deep}" stroke-width="10" opacity=".35"/>`;

export const filter: Motif = (p) =>
  `<path d="M520 330l190-70" stroke="${p.deep}" stroke-width="26" stroke-linecap="round"/>` +
  `<path d="M268 330c10 120 60 210 138 250 74-44 122-130 128-250z" fill="${p.light}"/>` +
  `<path d="M330 340c14 96 40 160 76 210M470 340c-10 96-32 160-64 210" stroke="${p.sun}" stroke-width="6" fill="none" opacity=".7"/>` +
  `<path d="M300 470c20 52 58 90 106 114 46-26 82-66 102-118-60 24-148 24-208 4z" fill="${p.deep}" opacity=".75"/>` +
  `<ellipse cx="400" cy="330" rx="140" ry="34" fill="none" stroke="${p.accent}" stroke-width="20"/>` +
  `<path d="M406 592v24" stroke="${p.deep}" stroke-width="10" stroke-linecap="round"/>`;

export const saucers: Motif = (p) =>
  [0, 1, 2, 3]
    .map((at) => {
      const y = 596 - at * 62;
      const rim = at % 2 === 0 ? p.main : p.accent;
      return (
        `<path d="M180 ${y - 30}c40 44 120 56 220 56s180-12 220-56z" fill="${p.light}"/>` +
        `<ellipse cx="400" cy="${y - 30}" rx="220" ry="32" fill="${rim}"/><ellipse cx="400" cy="${y - 32}" rx="196" ry="25" fill="${p.light}"/>`
      );
    })
    .join('') +
  `<ellipse cx="400" cy="378" rx="92" ry="12" fill="${p.main}" opacity=".3"/>` +
  `<path d="M400 340c-40-60 40-80 0-150" stroke="${p.light}" stroke-width="10" fill="none" stroke-linecap="round" opacity=".7"/>`;

export const tea: Motif = (p) =>
  `<path d="M250 270h300v330a20 20 0 0 1-20 20H270a20 20 0 0 1-20-20z" fill="${p.accent}"/>` +
  `<path d="M250 270h60v350h-40a20 20 0 0 1-20-20z" fill="${p.deep}" opacity=".2"/>` +
  `<rect x="238" y="222" width="324" height="62" rx="14" fill="${p.deep}"/><rect x="250" y="236" width="300" height="10" fill="${p.light}" opacity=".3"/>` +
  `<rect x="290" y="350" width="220" height="190" rx="16" fill="${p.light}"/>` +
  `<g fill="${p.accent}"><path d="M400 384c52 44 52 92 0 136-52-44-52-92 0-136z"/><path d="M330 420c46 6 66 36 64 92-48-8-70-40-64-92zM470 420c-46 6-66 36-64 92 48-8 70-40 64-92z" opacity=".75"/></g>` +
  `<path d="M400 396v116" stroke="${p.light}" stroke-width="5"/>`;

export const planter: Motif = (p) =>
  `<g fill="${p.accent}"><path d="M400 360C330 300 320 210 400 140c80 70 70 160 0 220z"/><path d="M392 372c-100 0-160-60-170-150 100-6 168 50 170 150zM408 372c100 0 160-60 170-150-100-6-168 50-170 150z" opacity=".82"/></g>` +
  `<path d="M400 170v200M250 240l142 130M550 240L408 370" stroke="${p.deep}" stroke-width="6" opacity=".45"/>` +
  `<rect x="276" y="366" width="248" height="254" rx="14" fill="${p.light}"/><rect x="276" y="400" width="248" height="150" fill="${p.main}"/>` +
  `<circle cx="400" cy="475" r="54" fill="${p.sun}"/><path d="M372 476c18 26 38 26 56 0" stroke="${p.deep}" stroke-width="8" fill="none" stroke-linecap="round"/>` +
  `<ellipse cx="400" cy="368" rx="124" ry="18" fill="${p.deep}"/><path d="M276 384h248M276 570h248M276 588h248" stroke="${p.deep}" stroke-width="5" opacity=".3"/>`;

export const grinder: Motif = (p) =>
  `<path d="M430 210l150-40" stroke="${p.deep}" stroke-width="20" stroke-linecap="round"/><circle cx="592" cy="166" r="28" fill="${p.accent}"/>` +
  `<path d="M280 330c0-80 50-120 120-120s120 40 120 120z" fill="${p.sun}"/><path d="M400 330l-76 56h152z" fill="${p.sun}"/>` +
  `<rect x="386" y="186" width="28" height="40" fill="${p.deep}"/><rect x="262" y="372" width="276" height="230" rx="14" fill="${p.main}"/>` +
  `<rect x="244" y="594" width="312" height="30" rx="10" fill="${p.deep}"/><rect x="300" y="470" width="200" height="96" rx="10" fill="${p.deep}" opacity=".35"/><circle cx="400" cy="518" r="18" fill="${p.sun}"/>` +
  `<rect x="262" y="392" width="276" height="16" fill="${p.light}" opacity=".3"/>`;
