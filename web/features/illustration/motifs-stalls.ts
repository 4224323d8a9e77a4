// Things from the other stalls: cloth, books, devices, curios. Same stage as `motifs-counter.ts`.
import type { Motif } from './motifs-counter';
import type { Palette } from './palette';

/** A small batik field: diamonds with a dot, repeated. */
function batik(p: Palette, x: number, y: number, columns: number, rows: number): string {
  const cells: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const cx = x + column * 56 + 28;
      const cy = y + row * 56 + 28;
      cells.push(
        `<path d="M${cx} ${cy - 22}l22 22-22 22-22-22z" fill="none" stroke="${p.sun}" stroke-width="4"/><circle cx="${cx}" cy="${cy}" r="7" fill="${(row + column) % 2 === 0 ? p.light : p.accent}"/>`,
      );
    }
  }
  return cells.join('');
}

export const shawl: Motif = (p) =>
  `<rect x="150" y="176" width="500" height="20" rx="10" fill="${p.deep}"/>` +
  `<path d="M232 186h336v380c-56 26-112-18-168 6s-112-20-168-2z" fill="${p.main}"/>` +
  batik(p, 232, 226, 6, 5) +
  `<path d="M232 186h336v30H232zM232 516c56-18 112 26 168 2s112 20 168-6v54c-56 26-112-18-168 6s-112-20-168-2z" fill="${p.accent}"/>` +
  `<g stroke="${p.sun}" stroke-width="6" stroke-linecap="round">${Array.from({ length: 15 }, (_, at) => `<path d="M${242 + at * 23} ${566 + (at % 3) * 4}v34"/>`).join('')}</g>`;

export const folded: Motif = (p) =>
  `<path d="M190 540h420v56c0 14-10 24-24 24H214c-14 0-24-10-24-24z" fill="${p.accent}"/><path d="M190 470h420v70H190z" fill="${p.light}"/><path d="M190 490h420M190 512h420" stroke="${p.main}" stroke-width="6"/>` +
  `<path d="M214 296h372c14 0 24 10 24 24v150H190V320c0-14 10-24 24-24z" fill="${p.main}"/>` +
  batik(p, 204, 306, 7, 2) +
  `<path d="M190 430h420v40H190z" fill="${p.deep}" opacity=".3"/><rect x="360" y="284" width="80" height="338" fill="${p.sun}" opacity=".92"/><path d="M360 284h12v338h-12z" fill="${p.deep}" opacity=".15"/>`;

export const cushion: Motif = (p) =>
  `<path d="M190 290c70 30 350 30 420 0 34-14 40 16 30 50-24 80-24 150 0 220 12 38-4 62-40 48-70-26-330-26-400 0-36 14-52-10-40-48 24-70 24-140 0-220-10-34-4-64 30-50z" fill="${p.main}"/>` +
  batik(p, 232, 338, 6, 4) +
  `<path d="M190 290c70 30 350 30 420 0" fill="none" stroke="${p.sun}" stroke-width="8"/>`;

export const book: Motif = (p) =>
  `<path d="M226 190h330c20 0 34 14 34 34v396H262c-22 0-36-14-36-36z" fill="${p.main}"/><path d="M262 560h328v60H262c-40 0-40-60 0-60z" fill="${p.light}"/><path d="M264 578h320M264 598h320" stroke="${p.deep}" stroke-width="3" opacity=".3"/>` +
  `<path d="M226 190h40v370c-22 0-40 10-40 30z" fill="${p.deep}" opacity=".35"/>` +
  `<circle cx="428" cy="340" r="84" fill="${p.sun}"/><path d="M372 352c36 44 76 44 112 0z" fill="${p.light}"/><path d="M404 312c-10-18 10-26 0-44M448 312c-10-18 10-26 0-44" stroke="${p.light}" stroke-width="8" fill="none" stroke-linecap="round"/>` +
  `<rect x="328" y="462" width="200" height="16" rx="8" fill="${p.light}"/><rect x="358" y="494" width="140" height="12" rx="6" fill="${p.light}" opacity=".6"/><path d="M520 190h34v96l-17-16-17 16z" fill="${p.accent}"/>`;

export const radio: Motif = (p) =>
  `<path d="M540 280L640 130" stroke="${p.deep}" stroke-width="10" stroke-linecap="round"/><circle cx="642" cy="128" r="12" fill="${p.deep}"/>` +
  `<rect x="150" y="276" width="500" height="328" rx="46" fill="${p.main}"/><rect x="150" y="276" width="500" height="46" rx="23" fill="${p.light}" opacity=".2"/>` +
  `<rect x="186" y="322" width="250" height="236" rx="24" fill="${p.deep}"/><g stroke="${p.sun}" stroke-width="8" opacity=".85">${[350, 382, 414, 446, 478, 510, 542 - 8].map((y) => `<path d="M206 ${y}h210"/>`).join('')}</g>` +
  `<rect x="466" y="330" width="150" height="84" rx="14" fill="${p.light}"/><path d="M480 384h122" stroke="${p.deep}" stroke-width="4"/><path d="M540 342v50" stroke="${p.accent}" stroke-width="6"/>` +
  `<circle cx="504" cy="490" r="38" fill="${p.sun}"/><circle cx="594" cy="490" r="28" fill="${p.sun}"/><path d="M504 490v-30M594 490l14-18" stroke="${p.deep}" stroke-width="7" stroke-linecap="round"/>` +
  `<path d="M210 604h50v16h-50zM540 604h50v16h-50z" fill="${p.deep}"/>`;

export const device: Motif = (p) =>
  `<rect x="190" y="230" width="420" height="390" rx="36" fill="${p.light}"/><rect x="190" y="560" width="420" height="60" rx="30" fill="${p.deep}" opacity=".12"/>` +
  `<rect x="226" y="266" width="348" height="116" rx="18" fill="${p.deep}"/><path d="M246 330c30 0 30-40 60-40s30 70 60 70 30-60 60-60 30 40 60 40 30-16 56-16" stroke="${p.sun}" stroke-width="8" fill="none" stroke-linecap="round"/>` +
  [270, 357, 444, 531]
    .map(
      (x, at) =>
        `<circle cx="${x}" cy="446" r="30" fill="${at % 2 === 0 ? p.main : p.accent}"/><path d="M${x} 446l${at * 8 - 12}-22" stroke="${p.light}" stroke-width="7" stroke-linecap="round"/>`,
    )
    .join('') +
  [236, 300, 364, 428, 492]
    .map(
      (x, at) =>
        `<rect x="${x}" y="506" width="52" height="76" rx="10" fill="${at === 2 ? p.sun : p.deep}"/>`,
    )
    .join('');

export const lamp: Motif = (p) =>
  `<circle cx="400" cy="400" r="250" fill="${p.sun}" opacity=".35"/><path d="M330 190c0-90 140-90 140 0" fill="none" stroke="${p.deep}" stroke-width="14"/>` +
  `<rect x="300" y="190" width="200" height="44" rx="16" fill="${p.deep}"/><path d="M284 246h232c46 90 46 220 0 310H284c-46-90-46-220 0-310z" fill="${p.main}"/>` +
  `<ellipse cx="400" cy="404" rx="86" ry="124" fill="${p.sun}"/><ellipse cx="400" cy="420" rx="42" ry="76" fill="${p.light}"/>` +
  `<g stroke="${p.deep}" stroke-width="7" opacity=".3" fill="none"><path d="M330 246c-34 100-34 210 0 310M470 246c34 100 34 210 0 310"/></g><rect x="290" y="560" width="220" height="60" rx="18" fill="${p.deep}"/>`;

export const clock: Motif = (p) =>
  `<rect x="150" y="300" width="500" height="310" rx="40" fill="${p.deep}"/><rect x="182" y="332" width="436" height="210" rx="22" fill="#1a1310"/>` +
  `<g fill="${p.sun}">${digit(214, [1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0])}${digit(314, [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1])}${digit(434, [1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1])}${digit(530, [1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1])}<rect x="400" y="400" width="18" height="18"/><rect x="400" y="450" width="18" height="18"/></g>` +
  `<circle cx="220" cy="576" r="14" fill="${p.accent}"/><circle cx="264" cy="576" r="14" fill="${p.main}"/><path d="M200 610h60v12h-60zM540 610h60v12h-60z" fill="${p.main}"/>`;

/** A digit of 3 × 5 pixels. */
function digit(x: number, pixels: readonly number[]): string {
  return pixels
    .map((lit, at) =>
      lit
        ? `<rect x="${x + (at % 3) * 22}" y="${378 + Math.floor(at / 3) * 26}" width="19" height="22" rx="3"/>`
        : '',
    )
    .join('');
}

export const iron: Motif = (p) =>
  `<path d="M170 600l110-96" stroke="${p.deep}" stroke-width="14" stroke-linecap="round"/><path d="M264 518l80-70" stroke="#b9b2a8" stroke-width="34" stroke-linecap="round"/><path d="M352 440l210-184" stroke="${p.main}" stroke-width="76" stroke-linecap="round"/>` +
  `<path d="M376 420l34-30" stroke="${p.sun}" stroke-width="78"/><path d="M578 240c60-60 110-10 80 50s-40 120 30 150" fill="none" stroke="${p.deep}" stroke-width="16" stroke-linecap="round"/>` +
  `<circle cx="560" cy="560" r="60" fill="none" stroke="${p.accent}" stroke-width="24"/><circle cx="560" cy="560" r="22" fill="${p.deep}"/>`;

export const tile: Motif = (p) => {
  const one = (x: number, y: number, a: string, b: string) =>
    `<g transform="translate(${x} ${y})"><rect width="196" height="196" rx="10" fill="${p.light}"/><g fill="${a}">${[0, 90, 180, 270].map((turn) => `<path transform="rotate(${turn} 98 98)" d="M98 98C58 70 58 34 98 14c40 20 40 56 0 84z"/>`).join('')}</g><g fill="${b}">${[45, 135, 225, 315].map((turn) => `<path transform="rotate(${turn} 98 98)" d="M98 88C82 66 82 44 98 30c16 14 16 36 0 58z"/>`).join('')}</g><circle cx="98" cy="98" r="20" fill="${p.sun}"/></g>`;
  return (
    one(198, 216, p.main, p.accent) +
    one(406, 216, p.accent, p.main) +
    one(198, 424, p.accent, p.main) +
    one(406, 424, p.main, p.accent)
  );
};

export const basket: Motif = (p) =>
  `<path d="M270 350c0-220 260-220 260 0" fill="none" stroke="${p.deep}" stroke-width="22"/><path d="M180 340h440l-46 250c-4 20-18 30-38 30H264c-20 0-34-10-38-30z" fill="${p.sun}"/>` +
  [0, 1, 2, 3, 4]
    .map(
      (row) =>
        `<path d="M${194 + row * 9} ${396 + row * 46}h${412 - row * 18}" stroke="${row % 2 === 0 ? p.main : p.accent}" stroke-width="20" stroke-dasharray="34 22" stroke-dashoffset="${row * 28}"/>`,
    )
    .join('') +
  `<rect x="164" y="320" width="472" height="40" rx="20" fill="${p.main}"/>`;

export const scale: Motif = (p) =>
  `<rect x="386" y="200" width="28" height="380" fill="${p.deep}"/><path d="M290 580h220l30 40H260z" fill="${p.deep}"/><circle cx="400" cy="190" r="30" fill="${p.sun}"/><path d="M180 262l440-44" stroke="${p.main}" stroke-width="20" stroke-linecap="round"/>` +
  `<path d="M190 262l-70 170h140zM610 220l-70 170h140z" fill="none" stroke="${p.deep}" stroke-width="6"/><path d="M100 432h180c-10 70-170 70-180 0zM520 390h180c-10 70-170 70-180 0z" fill="${p.sun}"/><path d="M580 390v-44h60v44z" fill="${p.main}"/>`;

export const sign: Motif = (p) =>
  `<path d="M250 130v110M550 130v110" stroke="${p.deep}" stroke-width="10"/><rect x="130" y="230" width="540" height="300" rx="30" fill="${p.deep}"/><rect x="152" y="252" width="496" height="256" rx="18" fill="${p.main}"/><rect x="170" y="270" width="460" height="220" rx="12" fill="none" stroke="${p.sun}" stroke-width="6"/>` +
  `<text x="400" y="418" text-anchor="middle" font-family="Georgia, 'Times New Roman', serif" font-weight="700" font-size="128" fill="${p.light}">KOPI</text>`;

export const record: Motif = (p) =>
  `<rect x="150" y="196" width="420" height="424" rx="10" fill="${p.main}"/><circle cx="330" cy="400" r="110" fill="${p.sun}"/><path d="M150 520h420v30H150z" fill="${p.accent}"/><circle cx="480" cy="408" r="186" fill="#1d1512"/>` +
  `<g fill="none" stroke="#4b3a33" stroke-width="3">${[160, 138, 116, 94].map((r) => `<circle cx="480" cy="408" r="${r}"/>`).join('')}</g><circle cx="480" cy="408" r="64" fill="${p.accent}"/><circle cx="480" cy="408" r="10" fill="${p.light}"/><path d="M150 196h60v424h-60z" fill="${p.deep}" opacity=".15"/>`;

export const stamp: Motif = (p) =>
  `<rect x="350" y="190" width="100" height="190" rx="40" fill="${p.deep}"/><path d="M220 380h360v70H220z" fill="${p.sun}"/><path d="M220 450h360v40H220z" fill="${p.main}"/>` +
  `<g transform="translate(176 500)">${batik(p, 0, 0, 8, 2)}</g>`;

export const jar: Motif = (p) =>
  `<rect x="270" y="190" width="260" height="70" rx="18" fill="${p.deep}"/><path d="M250 280c0-20 300-20 300 0l30 60v240c0 24-16 40-40 40H260c-24 0-40-16-40-40V340z" fill="${p.light}"/><path d="M220 420h360v160c0 24-16 40-40 40H260c-24 0-40-16-40-40z" fill="${p.main}"/>` +
  `<rect x="290" y="390" width="220" height="130" rx="14" fill="${p.sun}"/><path d="M330 436h140M350 470h100" stroke="${p.deep}" stroke-width="12" stroke-linecap="round"/>`;
