/** How loud a sound is to the ear: ITU-R BS.1770-4, integrated, in LUFS. */

const ABSOLUTE_GATE = -70; // LUFS
const RELATIVE_GATE = -10; // LU below the mean of what passes the absolute gate
const OFFSET = -0.691;
const POLES = 1681.974; // Hz
const SHELF = 3.99984; // dB

const decoded = new Map();
const MOST = 12; // sounds kept decoded: 190 s of stereo are 73 MB

/** Fetch and decode a sound of the bridge; kept for a while, as a comparison needs the same ones again and again. */
export function decode(url, rate) {
  if (!decoded.has(url)) {
    const work = (async () => {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error("This sound is not on the disk any more.");
      // at its own rate: a browser's resampler takes some of the highest octave away
      return new OfflineAudioContext(2, 1, rate).decodeAudioData(await answer.arrayBuffer());
    })();
    work.catch(() => decoded.delete(url));
    decoded.set(url, work);
    if (decoded.size > MOST) decoded.delete(decoded.keys().next().value);
  }
  return decoded.get(url);
}

const level = (power) => OFFSET + 10 * Math.log10(power + 1e-15);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const breathe = () => new Promise((resolve) => { setTimeout(resolve); });

/** The K weighting as two filters: a shelf for the head, a high pass for the ear. The browser runs them beside the page. */
async function weighted(sound) {
  const room = new OfflineAudioContext(sound.numberOfChannels, sound.length, sound.sampleRate);
  const from = new AudioBufferSourceNode(room, { buffer: sound });
  // the browser's shelf names the middle of its slope, BS.1770 the frequency of its poles
  const middle = Math.atan(Math.tan(Math.PI * POLES / sound.sampleRate) / 10 ** (SHELF / 80)) * sound.sampleRate / Math.PI;
  const shelf = new BiquadFilterNode(room, { type: "highshelf", frequency: middle, gain: SHELF });
  const low = new BiquadFilterNode(room, { type: "highpass", frequency: 38.1355, Q: 20 * Math.log10(0.500327) });
  from.connect(shelf).connect(low).connect(room.destination);
  from.start();
  return room.startRendering();
}

/** Integrated loudness as it is heard here, LUFS; null for silence and for less than 0.4 s. One channel plays on both sides. */
export async function integrated(sound) {
  const heard = await weighted(sound);
  const step = Math.round(heard.sampleRate / 10);
  const power = new Float64Array(Math.floor(heard.length / step));
  const sides = heard.numberOfChannels === 1 ? 2 : 1;
  for (let channel = 0; channel < heard.numberOfChannels; channel += 1) {
    const data = heard.getChannelData(channel);
    for (let i = 0; i < power.length; i += 1) {
      let sum = 0;
      for (let j = i * step; j < (i + 1) * step; j += 1) sum += data[j] * data[j];
      power[i] += sides * sum / step;
      if (i % 100 === 99) await breathe(); // never a long task
    }
  }
  const blocks = [];
  for (let i = 0; i + 4 <= power.length; i += 1) blocks.push((power[i] + power[i + 1] + power[i + 2] + power[i + 3]) / 4);
  const loud = blocks.filter((value) => level(value) > ABSOLUTE_GATE);
  if (!loud.length) return null;
  const gate = level(mean(loud)) + RELATIVE_GATE;
  return level(mean(loud.filter((value) => level(value) > gate)));
}
