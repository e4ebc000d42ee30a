/** Han, kana, hangul and bopomofo: text in which full-width punctuation is at home. */
const EAST_ASIAN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/u
const FULL_WIDTH_OFFSET = 0xfee0

/** Full-width letters and punctuation, which the Chinese recogniser likes, as ASCII; lines with East Asian letters stay. */
export function asciiForms(text: string): string {
  if (EAST_ASIAN.test(text)) return text
  return text
    .replaceAll(/[\uff01-\uff5e]/g, letter => String.fromCharCode(letter.charCodeAt(0) - FULL_WIDTH_OFFSET))
    .replaceAll('\u3000', ' ')
    .replaceAll('。', '.')
    .replaceAll('、', ',')
}
