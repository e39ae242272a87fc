// A feed list of F5 BIG-IP: address, length, bl (it is a block list), category.

import { type Format, plainText } from '../format.js';

export const f5: Format = {
  name: 'f5',
  type: plainText,
  what: 'a feed list of F5 BIG-IP: address,length,bl,category',
  tellsApart: true,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) {
      view.address(out).text(',').number(view.bits).text(`,bl,mailweir_${view.action}`).newline();
    }
  },
};
