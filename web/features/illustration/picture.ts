// Draws the picture of a product, an item or a category from its slug alone: same slug, same picture.
//
// In: a slug. Out: an SVG of 800 × 800. Nothing of the slug is written into the SVG, so no slug can inject anything.
import * as counter from './motifs-counter';
import type { Motif } from './motifs-counter';
import * as stalls from './motifs-stalls';
import { hashOf, paletteOf, type Palette } from './palette';

/** First word found in the slug wins, so the more special words come first. */
const motifsByWord: readonly (readonly [RegExp, Motif])[] = [
  [/saucer|plate/, counter.saucers],
  [/coaster|\btile|print/, stalls.tile],
  [/grinder/, counter.grinder],
  [/sign\b/, stalls.sign],
  [/\blp\b|record\b|press/, stalls.record],
  [/stamp$/, stalls.stamp],
  [/planter|\btin\b|^home$/, counter.planter],
  [/filter|sock|brew/, counter.filter],
  [/kettle|pot\b/, counter.kettle],
  [/book|atlas|poem|manual|novel/, stalls.book],
  [/beans|gayo|blend|roast|coffee/, counter.bag],
  [/cup|mug|tableware/, counter.cup],
  [/tea\b(?!-towel)/, counter.tea],
  [/cushion|pillow/, stalls.cushion],
  [/towel|runner|folded/, stalls.folded],
  [/shawl|sarong|batik|textile|scarf/, stalls.shawl],
  [/radio|vintage/, stalls.radio],
  [/clock|watch/, stalls.clock],
  [/synth|recorder|electronic|kit/, stalls.device],
  [/lamp|light|lantern/, stalls.lamp],
  [/solder|iron|tool/, stalls.iron],
  [/basket/, stalls.basket],
  [/scale/, stalls.scale],
];

export function motifOf(slug: string): Motif {
  return motifsByWord.find(([word]) => word.test(slug))?.[1] ?? stalls.jar;
}

/** `variant` 0 is the main picture; others show the same thing in other light, for galleries. */
export function drawPicture(slug: string, variant = 0): string {
  const hash = hashOf(slug);
  const palette = paletteOf(hash + variant);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 800" width="800" height="800">` +
    backdrop(palette, hash >>> 3) +
    `<ellipse cx="400" cy="630" rx="270" ry="22" fill="#000" opacity=".16"/>` +
    motifOf(slug)(palette) +
    `</svg>`
  );
}

function backdrop(p: Palette, hash: number): string {
  const wall = `<rect width="800" height="800" fill="${p.wall}"/>`;
  const table = `<rect y="580" width="800" height="220" fill="${p.table}"/><rect y="580" width="800" height="12" fill="#fff" opacity=".22"/><path d="M0 670h800M0 740h800" stroke="#000" stroke-width="3" opacity=".07"/>`;
  const scenes = [sun, arch, shutters];
  const scene = scenes[hash % scenes.length] ?? sun;
  return wall + scene(p, hash) + table;
}

function sun(p: Palette, hash: number): string {
  const x = 250 + (hash % 7) * 50;
  return `<circle cx="${x}" cy="330" r="230" fill="${p.sun}" opacity=".55"/>`;
}

function arch(p: Palette): string {
  return `<path d="M150 580V370a250 250 0 0 1 500 0v210z" fill="${p.sun}" opacity=".5"/><path d="M186 580V370a214 214 0 0 1 428 0v210" fill="none" stroke="${p.light}" stroke-width="6" opacity=".7"/>`;
}

/** The wooden louvres of a shophouse window. */
function shutters(p: Palette): string {
  const louvres = Array.from(
    { length: 9 },
    (_, at) =>
      `<rect x="96" y="${84 + at * 54}" width="608" height="30" rx="6" fill="${p.sun}" opacity=".42"/>`,
  );
  return louvres.join('') + `<rect x="388" y="60" width="24" height="520" fill="${p.wall}"/>`;
}
