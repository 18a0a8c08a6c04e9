export default function Home() {
  return <h1>Wallet</h1>;
}
