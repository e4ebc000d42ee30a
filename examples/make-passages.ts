/** A passage of public-domain English prose; `page` names its files. */
export interface Passage {
  readonly page: string
  readonly source: string
  readonly text: string
}

const passage = (page: string, source: string, ...sentences: readonly string[]): Passage => ({ page, source, text: sentences.join(' ') })

/** Straight quotes and no dashes, so that what is recognised compares letter by letter. */
export const PASSAGES: readonly Passage[] = [
  passage(
    'pride',
    'Jane Austen, Pride and Prejudice (1813)',
    'It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.',
    'However little known the feelings or views of such a man may be on his first entering a neighbourhood, this truth is so well fixed in the minds of the surrounding families, that he is considered as the rightful property of some one or other of their daughters.',
    '"My dear Mr. Bennet," said his lady to him one day, "have you heard that Netherfield Park is let at last?"',
    'Mr. Bennet replied that he had not.'
  ),
  passage(
    'whale',
    'Herman Melville, Moby-Dick (1851)',
    'Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, and nothing particular to interest me on shore, I thought I would sail about a little and see the watery part of the world.',
    'It is a way I have of driving off the spleen and regulating the circulation.',
    'Whenever I find myself growing grim about the mouth; whenever it is a damp, drizzly November in my soul; whenever I find myself involuntarily pausing before coffin warehouses, and bringing up the rear of every funeral I meet, then, I account it high time to get to sea as soon as I can.'
  ),
  passage(
    'alice',
    "Lewis Carroll, Alice's Adventures in Wonderland (1865)",
    'Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it, "and what is the use of a book," thought Alice, "without pictures or conversations?"',
    'So she was considering in her own mind, as well as she could, for the hot day made her feel very sleepy and stupid, whether the pleasure of making a daisy chain would be worth the trouble of getting up and picking the daisies, when suddenly a White Rabbit with pink eyes ran close by her.'
  ),
  passage(
    'cities',
    'Charles Dickens, A Tale of Two Cities (1859)',
    'It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were all going direct to Heaven, we were all going direct the other way.'
  ),
  passage(
    'gettysburg',
    'Abraham Lincoln, address at Gettysburg (1863)',
    'Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, and dedicated to the proposition that all men are created equal.',
    'Now we are engaged in a great civil war, testing whether that nation, or any nation so conceived and so dedicated, can long endure.',
    'We are met on a great battle field of that war.',
    'We have come to dedicate a portion of that field, as a final resting place for those who here gave their lives that that nation might live.',
    'It is altogether fitting and proper that we should do this.'
  ),
  passage(
    'inaugural',
    'Abraham Lincoln, second inaugural address (1865)',
    "With malice toward none, with charity for all, with firmness in the right as God gives us to see the right, let us strive on to finish the work we are in, to bind up the nation's wounds, to care for him who shall have borne the battle and for his widow and his orphan, to do all which may achieve and cherish a just and lasting peace among ourselves and with all nations."
  ),
  passage(
    'species',
    'Charles Darwin, On the Origin of Species (1859)',
    'It is interesting to contemplate an entangled bank, clothed with many plants of many kinds, with birds singing on the bushes, with various insects flitting about, and with worms crawling through the damp earth, and to reflect that these elaborately constructed forms, so different from each other, and dependent on each other in so complex a manner, have all been produced by laws acting around us.',
    'There is grandeur in this view of life, with its several powers, having been originally breathed into a few forms or into one.'
  ),
  passage(
    'beagle',
    'Charles Darwin, The Voyage of the Beagle (1839)',
    "After having been twice driven back by heavy southwestern gales, Her Majesty's ship Beagle, a ten-gun brig, under the command of Captain Fitz Roy, sailed from Devonport on the 27th of December, 1831.",
    'The object of the expedition was to complete the survey of Patagonia and Tierra del Fuego, commenced under Captain King in 1826 to 1830; to survey the shores of Chile, Peru, and of some islands in the Pacific; and to carry a chain of chronometrical measurements round the World.'
  ),
  passage(
    'walden',
    'Henry David Thoreau, Walden (1854)',
    'I went to the woods because I wished to live deliberately, to front only the essential facts of life, and see if I could not learn what it had to teach, and not, when I came to die, discover that I had not lived.',
    'I did not wish to live what was not life, living is so dear; nor did I wish to practise resignation, unless it was quite necessary.',
    'I wanted to live deep and suck out all the marrow of life, to live so sturdily and Spartan-like as to put to rout all that was not life.'
  ),
  passage(
    'frankenstein',
    'Mary Shelley, Frankenstein (1818)',
    'It was on a dreary night of November that I beheld the accomplishment of my toils.',
    'With an anxiety that almost amounted to agony, I collected the instruments of life around me, that I might infuse a spark of being into the lifeless thing that lay at my feet.',
    'It was already one in the morning; the rain pattered dismally against the panes, and my candle was nearly burnt out, when, by the glimmer of the half-extinguished light, I saw the dull yellow eye of the creature open; it breathed hard, and a convulsive motion agitated its limbs.'
  ),
  passage(
    'dracula',
    'Bram Stoker, Dracula (1897)',
    'Left Munich at 8:35 P.M., on 1st May, arriving at Vienna early next morning; should have arrived at 6:46, but train was an hour late.',
    'Buda-Pesth seems a wonderful place, from the glimpse which I got of it from the train and the little I could walk through the streets.',
    'I feared to go very far from the station, as we had arrived late and would start as near the correct time as possible.',
    'The impression I had was that we were leaving the West and entering the East.'
  ),
  passage(
    'eyre',
    'Charlotte Bronte, Jane Eyre (1847)',
    'There was no possibility of taking a walk that day.',
    'We had been wandering, indeed, in the leafless shrubbery an hour in the morning; but since dinner the cold winter wind had brought with it clouds so sombre, and a rain so penetrating, that further outdoor exercise was now out of the question.',
    'I was glad of it: I never liked long walks, especially on chilly afternoons: dreadful to me was the coming home in the raw twilight, with nipped fingers and toes.'
  ),
  passage(
    'heights',
    'Emily Bronte, Wuthering Heights (1847)',
    'I have just returned from a visit to my landlord, the solitary neighbour that I shall be troubled with.',
    'This is certainly a beautiful country!',
    'In all England, I do not believe that I could have fixed on a situation so completely removed from the stir of society.',
    "A perfect misanthropist's Heaven: and Mr. Heathcliff and I are such a suitable pair to divide the desolation between us.",
    'A capital fellow! He little imagined how my heart warmed towards him when I beheld his black eyes withdraw so suspiciously under their brows, as I rode up.'
  ),
  passage(
    'holmes',
    'Arthur Conan Doyle, A Scandal in Bohemia (1891)',
    'To Sherlock Holmes she is always the woman.',
    'I have seldom heard him mention her under any other name.',
    'In his eyes she eclipses and predominates the whole of her sex.',
    'It was not that he felt any emotion akin to love for Irene Adler.',
    'All emotions, and that one particularly, were abhorrent to his cold, precise but admirably balanced mind.',
    'He was, I take it, the most perfect reasoning and observing machine that the world has seen, but as a lover he would have placed himself in a false position.'
  ),
  passage(
    'willows',
    'Kenneth Grahame, The Wind in the Willows (1908)',
    'The Mole had been working very hard all the morning, spring-cleaning his little home.',
    'First with brooms, then with dusters; then on ladders and steps and chairs, with a brush and a pail of whitewash; till he had dust in his throat and eyes, and splashes of whitewash all over his black fur, and an aching back and weary arms.',
    'Spring was moving in the air above and in the earth below and around him, penetrating even his dark and lowly little house with its spirit of divine discontent and longing.'
  ),
  passage(
    'worlds',
    'H. G. Wells, The War of the Worlds (1898)',
    "No one would have believed in the last years of the nineteenth century that this world was being watched keenly and closely by intelligences greater than man's and yet as mortal as his own; that as men busied themselves about their various concerns they were scrutinised and studied, perhaps almost as narrowly as a man with a microscope might scrutinise the transient creatures that swarm and multiply in a drop of water."
  ),
  passage(
    'machine',
    'H. G. Wells, The Time Machine (1895)',
    'The Time Traveller, for so it will be convenient to speak of him, was expounding a recondite matter to us.',
    'His grey eyes shone and twinkled, and his usually pale face was flushed and animated.',
    'The fire burned brightly, and the soft radiance of the incandescent lights in the lilies of silver caught the bubbles that flashed and passed in our glasses.',
    'Our chairs, being his patents, embraced and caressed us rather than submitted to be sat upon.'
  ),
  passage(
    'finn',
    'Mark Twain, Adventures of Huckleberry Finn (1884)',
    'You don\'t know about me without you have read a book by the name of "The Adventures of Tom Sawyer"; but that ain\'t no matter.',
    'That book was made by Mr. Mark Twain, and he told the truth, mainly.',
    'There was things which he stretched, but mainly he told the truth.',
    'That is nothing. I never seen anybody but lied one time or another, without it was Aunt Polly, or the widow, or maybe Mary.'
  ),
  passage(
    'treasure',
    'Robert Louis Stevenson, Treasure Island (1883)',
    'Squire Trelawney, Dr. Livesey, and the rest of these gentlemen having asked me to write down the whole particulars about Treasure Island, from the beginning to the end, keeping nothing back but the bearings of the island, and that only because there is still treasure not yet lifted, I take up my pen in the year of grace 17__, and go back to the time when my father kept the Admiral Benbow inn and the brown old seaman with the sabre cut first took up his lodging under our roof.'
  ),
  passage(
    'emma',
    'Jane Austen, Emma (1815)',
    'Emma Woodhouse, handsome, clever, and rich, with a comfortable home and happy disposition, seemed to unite some of the best blessings of existence; and had lived nearly twenty-one years in the world with very little to distress or vex her.',
    "She was the youngest of the two daughters of a most affectionate, indulgent father; and had, in consequence of her sister's marriage, been mistress of his house from a very early period."
  ),
  passage(
    'carol',
    'Charles Dickens, A Christmas Carol (1843)',
    'Marley was dead: to begin with. There is no doubt whatever about that.',
    'The register of his burial was signed by the clergyman, the clerk, the undertaker, and the chief mourner.',
    "Scrooge signed it: and Scrooge's name was good upon 'Change, for anything he chose to put his hand to.",
    'Old Marley was as dead as a door-nail.',
    "Mind! I don't mean to say that I know, of my own knowledge, what there is particularly dead about a door-nail."
  ),
  passage(
    'crusoe',
    'Daniel Defoe, Robinson Crusoe (1719)',
    'I was born in the year 1632, in the city of York, of a good family, though not of that country, my father being a foreigner of Bremen, who settled first at Hull.',
    'He got a good estate by merchandise, and leaving off his trade, lived afterwards at York, from whence he had married my mother, whose relations were named Robinson, a very good family in that country, and from whom I was called Robinson Kreutznaer.'
  ),
  passage(
    'nations',
    'Adam Smith, The Wealth of Nations (1776)',
    'The greatest improvement in the productive powers of labour, and the greater part of the skill, dexterity, and judgment, with which it is anywhere directed, or applied, seem to have been the effects of the division of labour.',
    'It is not from the benevolence of the butcher, the brewer, or the baker, that we expect our dinner, but from their regard to their own interest.'
  ),
  passage(
    'declaration',
    'Declaration of Independence of the United States (1776)',
    "When in the Course of human events, it becomes necessary for one people to dissolve the political bands which have connected them with another, and to assume among the powers of the earth, the separate and equal station to which the Laws of Nature and of Nature's God entitle them, a decent respect to the opinions of mankind requires that they should declare the causes which impel them to the separation."
  )
]
