import { describe, expect, it } from 'vitest';
import { drawPicture, motifOf } from './picture';
import { pictureResponse } from './respond';
import * as counter from './motifs-counter';
import * as stalls from './motifs-stalls';

describe('generated pictures', () => {
  it('are the same for the same slug and differ between slugs', () => {
    expect(drawPicture('enamel-kopi-cup')).toBe(drawPicture('enamel-kopi-cup'));
    expect(drawPicture('enamel-kopi-cup')).not.toBe(drawPicture('blue-kopi-cup'));
    expect(drawPicture('enamel-kopi-cup')).not.toBe(drawPicture('enamel-kopi-cup', 1));
  });

  it('show what the slug says', () => {
    expect(motifOf('house-blend-beans')).toBe(counter.bag);
    expect(motifOf('hand-stamped-tea-towel')).toBe(stalls.folded);
    expect(motifOf('pandan-green-tea')).toBe(counter.tea);
    expect(motifOf('condensed-milk-tin-planter')).toBe(counter.planter);
    expect(motifOf('stoneware-saucer-set')).toBe(counter.saucers);
    expect(motifOf('antique-batik-stamp')).toBe(stalls.stamp);
    expect(motifOf('something-else')).toBe(stalls.jar);
  });

  it('are served for slugs and nothing else', () => {
    expect(pictureResponse('enamel-kopi-cup.svg').status).toBe(200);
    expect(pictureResponse('enamel-kopi-cup~2.svg').status).toBe(200);
    for (const file of ['x', '.svg', '../x.svg', 'A.svg', '<script>.svg', 'a~0.svg', 'a.svg.exe']) {
      expect(pictureResponse(file).status).toBe(404);
    }
  });
});
