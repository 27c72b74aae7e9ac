// Plays a package through a player and posts what was seen and heard: `page.html?player=&url=&keys=`, with
// `&steps=onset` only when sound is heard first.
// Every decoded frame tells its number in eight blocks, the lowest bit at the left.

import { players } from "./adapters.js";

const video = document.getElementById("video");
const asked = new URLSearchParams(location.search);
const seen = { frames: [], borders: [], rungs: {}, sounds: {}, texts: {}, seeks: {}, errors: [] };
const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });

function numberOf(source) {
  canvas.width = source.videoWidth;
  canvas.height = source.videoHeight;
  context.drawImage(source, 0, 0);
  const block = canvas.width / 8;
  let number = 0;
  for (let bit = 0; bit < 8; bit++) {
    const at = Math.floor((bit + 0.5) * block);
    const pixel = context.getImageData(at, canvas.height >> 1, 1, 1).data;
    if (pixel[0] > 127) number |= 1 << bit;
  }
  return number;
}

// the next frame that is put on the screen, if one comes soon
function frame() {
  const shown = new Promise((resolve) =>
    video.requestVideoFrameCallback((_, told) => {
      const one = { time: told.mediaTime, number: numberOf(video), width: told.width };
      if (!video.paused) seen.frames.push(one);
      resolve(one);
    }));
  return Promise.race([shown, new Promise((resolve) => setTimeout(resolve, 500))]);
}

async function until(what, found) {
  const begun = performance.now();
  for (;;) {
    const value = await found();
    if (value) return value;
    if (seen.errors.length) throw new Error(`gave up waiting for ${what}`);
    if (performance.now() - begun > 20000) {
      const ranges = [...Array(video.buffered.length).keys()]
        .map((n) => `${video.buffered.start(n)}-${video.buffered.end(n)}`);
      throw new Error(`waited in vain for ${what}, at ${video.currentTime} of ${ranges}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function seek(time) {
  video.pause();
  const shown = frame();
  video.currentTime = time;
  await until(`the seek to ${time}`, () => !video.seeking && video.readyState >= 2);
  await shown; // which does not come where the same frame stood there before
  return { time: video.currentTime, number: numberOf(video), width: video.videoWidth };
}

async function play(from, to) {
  await seek(from);
  await video.play();
  const frames = [];
  while (video.currentTime < to && !video.ended) frames.push(await frame());
  video.pause();
  return frames.filter(Boolean);
}

function listener() {
  const audio = new AudioContext();
  const analyser = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
  audio.createMediaElementSource(video).connect(analyser).connect(audio.destination);
  const levels = new Float32Array(analyser.frequencyBinCount);
  return () => {
    analyser.getFloatFrequencyData(levels);
    const loudest = levels.indexOf(Math.max(...levels));
    return levels[loudest] < -60 ? 0 : (loudest * audio.sampleRate) / analyser.fftSize;
  };
}

async function steps() {
  video.addEventListener("error", () => seen.errors.push(`video ${video.error.message}`));
  const heard = listener();
  const keys = JSON.parse(asked.get("keys"));
  const player = await players[asked.get("player")](video, asked.get("url"), seen.errors, keys);
  await until("the first picture", () => video.readyState >= 2);
  seen.duration = video.duration;
  seen.borders = await play(1.6, 2.4);
  for (const rung of player.rungs()) {
    await seek(0.5);
    await rung.select();
    await video.play();
    seen.rungs[rung.height] = await until(`${rung.height} lines`, async () => {
      if (video.currentTime > 4) video.currentTime = 0.5;
      const one = await frame();
      return one?.width === rung.width && one;
    });
    video.pause();
  }
  for (const sound of player.sounds()) {
    await seek(2.5);
    await sound.select();
    await video.play();
    const near = (tone) => Math.abs(tone - sound.tone) < 30;
    seen.sounds[sound.language] = await until(`the sound of ${sound.language}`, () => {
      if (video.currentTime > 4.5) video.currentTime = 2.5;
      const tone = heard();
      return near(tone) && tone;
    });
    video.pause();
  }
  for (const text of player.texts()) {
    await seek(0.5);
    await text.select();
    // a seek while a player empties its buffers is not always answered
    await video.play();
    await until("subtitles to be loaded", () => video.currentTime > 1);
    for (const time of [0.5, 2.5, 4.5]) {
      await seek(time);
      // some players hand out cues only while they play
      await video.play();
      seen.texts[time] = await until(`the subtitles at ${time}`, () => player.cues(time));
      video.pause();
    }
  }
  for (const time of [4.62, 1.02, 3.98]) seen.seeks[time] = await seek(time);
  if (player.thumbnail) seen.thumbnail = await player.thumbnail(4.5);
  await seek(5.5);
  await video.play();
  // with encrypted samples a player may come to the end without the event of it
  await until("the end", () => video.ended || video.currentTime >= video.duration - 0.05);
  await seek(2.04);
  seen.picture = canvas.toDataURL("image/png");
}

// when sound is heard first, of a film that begins without any
async function onset() {
  const audio = new AudioContext();
  const analyser = new AnalyserNode(audio, { fftSize: 512 });
  audio.createMediaElementSource(video).connect(analyser).connect(audio.destination);
  await players[asked.get("player")](video, asked.get("url"), seen.errors, {});
  await until("the first picture", () => video.readyState >= 2);
  const wave = new Float32Array(analyser.fftSize);
  await video.play();
  seen.onset = await until("sound", () => {
    const { currentTime } = video;
    analyser.getFloatTimeDomainData(wave);
    return Math.max(...wave) > 0.02 && currentTime;
  });
}

try {
  await (asked.get("steps") === "onset" ? onset : steps)();
} catch (error) {
  seen.errors.push(String(error.stack || error));
}
await fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
