"""Japanese."""

MESSAGES = {
    "(gone)": "(なし)",
    "0 gives the most likely take, the same every time. More gives livelier, different takes":
        "0 なら最もありそうなテイクで、毎回同じ。大きくすると生き生きとした、毎回違うテイクになる",
    "A Python that has the server's packages. Left empty: the environment that Install makes":
        "サーバーのパッケージが入った Python。空欄なら「インストール」で作る環境を使う",
    "A folder of Python wheels to install from, on a machine without network":
        "ネットワークのないマシン用に、インストール元となる Python wheel のフォルダー",
    "A generation is at work: wait for it, or cancel it.": "生成中です。待つか、キャンセルしてください。",
    "A mesh object that belongs to this head": "この頭に属するメッシュオブジェクト",
    "Accepted": "確認済み",
    "Add Missing Keys": "足りないキーを追加",
    "Add New Keys": "新しいキーを追加",
    "Add Row": "行を追加",
    "Add Selected": "選択物を追加",
    "Add a neutral head that is ready to talk": "すぐに話せる無表情の頭を追加する",
    "Add a row: one of the head's own shape keys, and the channel that it follows":
        "行を追加：頭が元から持つシェイプキーと、それが従うチャンネル",
    "Add sound strips to the sequencer first.": "先にシーケンサーへサウンドストリップを追加してください。",
    "Adds a smile to the whole line, or, below 0, a frown": "セリフ全体に微笑みを加える。0 未満なら口角を下げる",
    "All": "すべて",
    "All sound strips of the sequencer that are not muted": "シーケンサーのミュートされていない全サウンドストリップ",
    "Allow online access first (Preferences > System), or choose a folder of wheels.":
        "先にオンラインアクセスを許可する（プリファレンス > システム）か、wheel のフォルダーを選んでください。",
    "Angry": "怒り",
    "Angry, whatever the voice implies": "声の表情にかかわらず怒り",
    "Animate keys of a known kind (ARKit, visemes, VRM, MMD, …). Without such keys the head gets new ones":
        "既知の種類のキー（ARKit、ビゼーム、VRM、MMD など）を動かす。なければ頭に新しいキーを作る",
    "Animate the head to the speech in the strip, with shape keys and an Action of their own. What you made stays":
        "ストリップの音声に合わせて頭を動かす。専用のシェイプキーとアクションを使い、あなたの作業はそのまま残る",
    "Animate the head's ARKit shape keys with a recording of Live Link Face, in an Action of its own":
        "頭の ARKit シェイプキーを Live Link Face の収録で動かす。専用のアクションに書き込む",
    "Animate the keys as the list below says": "下の一覧のとおりにキーを動かす",
    "Another number gives another take, where the temperature is above 0, and other blinks, gaze and head motion":
        "別の数にすると、温度が 0 より大きければ別のテイクに、まばたき・視線・頭の動きも別のものになる",
    "As the Voice": "声のとおり",
    "Automatic": "自動",
    "Batch": "バッチ",
    "Blinks": "まばたき",
    "Bone": "ボーン",
    ("Bring back what was predicted: all sliders at their defaults, no channel muted. Keys that you set by hand "
     "stay"):
        "予測どおりに戻す：全スライダーを既定値に、チャンネルのミュートを解除。手で打ったキーは残る",
    "Brows": "眉",
    "By the List": "一覧に従う",
    "Calms the motion, over about this many frames. Lips that meet still meet":
        "およそこのフレーム数にわたって動きを滑らかにする。閉じる唇は閉じたまま",
    "Cancel": "キャンセル",
    "Cancelled: no film was made": "キャンセル：動画は作られませんでした",
    "Cancelled: nothing was changed": "キャンセル：何も変更されていません",
    "Carries the expressions": "表情を担う",
    "Carrying the shapes over": "シェイプを移しています",
    "Channel": "チャンネル",
    "Channel Name": "チャンネル名",
    "Channels": "チャンネル",
    "Cheeks": "頬",
    "Choose After Direction": "指示から選ぶ",
    "Choose a head for the active line first.": "先にアクティブな行の頭を選んでください。",
    "Choose emotion and strength after the direction in words. Say what is felt, not what is not":
        "言葉の指示から感情と強さを選ぶ。感じていることを書き、否定形は使わない",
    "Choose the head first": "先に頭を選んでください",
    "Choose the head first: a mesh object.": "先に頭（メッシュオブジェクト）を選んでください。",
    "Clear My Keys": "自分のキーを消去",
    "Click: {point}   Esc: leave": "クリック：{point}   Esc：終了",
    "Contempt": "軽蔑",
    "Contempt, whatever the voice implies": "声の表情にかかわらず軽蔑",
    "Corners": "頂点",
    "Direction": "演技の指示",
    "Disgusted": "嫌悪",
    "Disgusted, whatever the voice implies": "声の表情にかかわらず嫌悪",
    "Does not move": "動かない",
    "Done": "完了",
    "Doubtful": "不確か",
    ("Drag: move a point   X: mirror   R: reset it   Shift R: reset all   F: four points, or all   Ctrl Z: undo   "
     "Enter: keep   Esc: leave"):
        "ドラッグ：点を移動   X：ミラー   R：その点をリセット   Shift R：すべてリセット   F：4 点／全点   Ctrl "
        "Z：元に戻す   Enter：保存   Esc：終了",
    "Draw in the sequencer, over the waveform of each generated strip, how far the mouth opens":
        "シーケンサーで、生成した各ストリップの波形に口の開き具合を重ねて描く",
    "Edit Landmarks": "ランドマークを編集",
    "Edit as List": "一覧として編集",
    "Emotion": "感情",
    "Esc cancels": "Esc でキャンセル",
    "Everything is as it was predicted.": "すべて予測のままです。",
    "Export Face Curves": "顔のカーブをエクスポート",
    "Eyes and Head": "目と頭",
    "Face": "顔",
    "Face Curves, Live Link Face (.csv)": "顔のカーブ、Live Link Face (.csv)",
    "Fearful": "恐れ",
    "Fearful, whatever the voice implies": "声の表情にかかわらず恐れ",
    ("Fill the list from a known family of shape keys or a mapping that you saved, for those of its keys that "
     "this head has"):
        "既知のシェイプキー群、または保存した割り当てから、この頭にあるキーの分だけ一覧を埋める",
    "Find Landmarks": "ランドマークを検出",
    ("Find the face on the mesh, its landmarks and its parts. Generate does this by itself; here you see the "
     "result before, and can correct it"):
        "メッシュ上の顔、ランドマーク、部位を検出する。「生成」でも自動で行われるが、ここなら先に結果を見て直せる",
    "Finding the face": "顔を検出中",
    "Fitting the face": "顔に合わせています",
    "Forget the landmarks that you set by hand: all are found automatically again":
        "手で置いたランドマークを破棄し、すべて自動検出に戻す",
    "Found Landmarks": "検出されたランドマーク",
    ("Frames by which the face moves later than the sound, or, below 0, earlier. Keys that you set by hand stay "
     "where they are"):
        "音より顔を遅らせるフレーム数。0 未満なら早める。手で打ったキーは動かない",
    ("From few keys, easy to edit, to a key on every frame. At a half, the difference to the prediction cannot be "
     "seen"):
        "編集しやすい少数のキーから毎フレームのキーまで。0.5 では予測との差は見えない",
    "Gain": "倍率",
    "Gaze": "視線",
    "Generate": "生成",
    "Generate All": "すべて生成",
    "Generate Takes": "テイクを生成",
    ("Generate every line in the list, one after the other. All results are written together at the end, as one "
     "step to undo. A line that fails does not stop the others"):
        "一覧の全行を順に生成する。結果は最後にまとめて書き込まれ、一度の「元に戻す」で戻せる。失敗した行があっても"
        "他は続行する",
    "Generate several takes of the line, each with a seed of its own, to step through. Earlier ones stay listed":
        "シードの異なる複数のテイクを生成し、順に見比べる。以前のテイクも一覧に残る",
    "Generate this line": "この行を生成する",
    "Give the head new keys for channels that none of its own keys shows":
        "頭の既存のキーでは表せないチャンネルに新しいキーを作る",
    "Give the head of the active line to all lines on the same channel of the sequencer":
        "アクティブな行の頭を、シーケンサーの同じチャンネルの全行に割り当てる",
    "Give the mapping a name": "割り当てに名前を付けてください",
    "Go to Edit Mode and select the vertices (L selects what is connected).":
        "編集モードで頂点を選択してください（L でつながった頂点を選択）。",
    "Go to Object Mode first.": "先にオブジェクトモードにしてください。",
    "Happy": "喜び",
    "Happy, whatever the voice implies": "声の表情にかかわらず喜び",
    "Head": "頭",
    "Head Motion": "頭の動き",
    "Head Strength": "頭の動きの強さ",
    "Heads by": "頭の決め方",
    "How a head is found for each strip": "各ストリップの頭の探し方",
    "How long the face takes to change from one keyed emotion to the next":
        "キーを打った感情から次の感情へ移るのにかかる時間",
    "How many takes of the line to generate, with seeds one after the other": "生成するテイクの数。シードは連番",
    "How much the emotion that you chose takes the place of what the voice implies":
        "選んだ感情を声の表情の代わりにどれだけ使うか",
    "How much the takes differ: their temperature": "テイクどうしの違いの大きさ（温度）",
    "How strong the expression is; 0 is none": "表情の強さ。0 なら無し",
    "How strongly everything that the lips do moves. 1 is as it was predicted": "唇の動き全体の強さ。1 で予測どおり",
    "How strongly the feeling in the voice shows. 1 is as it was predicted, 0 is speech alone":
        "声の感情の表れ方の強さ。1 で予測どおり、0 で発話のみ",
    "How strongly the forehead with its brows moves. 1 is as it was predicted": "眉と額の動きの強さ。1 で予測どおり",
    "How strongly the jaw moves. 1 is as it was predicted": "顎の動きの強さ。1 で予測どおり",
    "How strongly what cheeks and nose do moves. 1 is as it was predicted": "頬と鼻の動きの強さ。1 で予測どおり",
    ("How strongly what the eyelids do with speech; blinks are a layer of their own moves. 1 is as it was "
     "predicted"):
        "発話に伴うまぶたの動きの強さ（まばたきは別レイヤー）。1 で予測どおり",
    "How the line is to be said, in a few English words: tired but relieved":
        "セリフの言い方を英語で短く：tired but relieved",
    "Import & Export": "インポートとエクスポート",
    "Import Face Curves": "顔のカーブをインポート",
    "In this mesh: {parts}": "このメッシュの中：{parts}",
    "Index": "番号",
    "Install": "インストール",
    "Install (about 2 GB)": "インストール（約 2 GB）",
    "Install Again": "再インストール",
    "Install PyTorch and the server's other packages (about 2 GB) into a folder of the add-on's own":
        "PyTorch などサーバーのパッケージ（約 2 GB）をアドオン専用フォルダーにインストールする",
    "Install Text Encoder (84 MB)": "テキストエンコーダーをインストール（84 MB）",
    "Install the server's packages first.": "先にサーバーのパッケージをインストールしてください。",
    "Install what reads an emotion from a direction in words (about 84 MB). It works offline from then on":
        "言葉の指示から感情を読み取るもの（約 84 MB）をインストールする。以後はオフラインで動く",
    "Installation Log": "インストールのログ",
    "It does not become clear which emotion this is: use other words":
        "どの感情かはっきりしません。別の言葉を使ってください",
    "Its number of the 68, from 0": "68 個中の番号（0 から）",
    "Its scene is gone: list the lines again": "シーンがなくなりました。行を一覧にし直してください",
    "Jaw": "顎",
    "Keep This Take": "このテイクを採用",
    "Keep the take that plays, and delete the others": "再生中のテイクを残し、他を削除する",
    "Keep this channel at 0 in this line. Keys that you set by hand stay":
        "このセリフではこのチャンネルを 0 に保つ。手で打ったキーは残る",
    "Key Density": "キーの密度",
    "Key on a Layer Above": "上のレイヤーにキーを打つ",
    "Keys": "キー",
    "LSF Speech Animation": "LSF 発話アニメーション",
    "Landmarks are edited in a 3D viewport.": "ランドマークは 3D ビューポートで編集します。",
    "Landmarks are edited with the mouse, in a 3D viewport": "ランドマークは 3D ビューポートでマウスで編集します",
    "Landmarks found": "ランドマーク検出済み",
    "Landmarks found; {own} set by hand": "ランドマーク検出済み、{own} 個は手動",
    "Lashes": "まつ毛",
    "Lashes, brow cards and beards: they follow the skin under them": "まつ毛、眉のカード、ひげ：下の肌に従う",
    "Leave the NLA's tweak mode first (Tab in the NLA editor)":
        "先に NLA の調整モードを終了してください（NLA エディターで Tab）",
    "Left Eye": "左目",
    ("Let the eyes blink at a natural rate, mostly where phrases end: a shape key and an NLA track of their own. "
     "Another seed gives other blinks"):
        "自然な頻度で、主に句の終わりにまばたきさせる。専用のシェイプキーと NLA トラックを使う。シードを変えるとま"
        "ばたきも変わる",
    ("Let the eyes shift a little, as those of somebody who talks to somebody: an NLA track of its own. Another "
     "seed gives other shifts"):
        "人と話すときのように視線を少し動かす。専用の NLA トラックを使う。シードを変えると視線も変わる",
    "Lids": "まぶた",
    "Lines": "行",
    "Lip Closure": "唇の閉じ",
    "Lips": "唇",
    "List Lines": "行を一覧",
    ("List the head's own shape keys with what they were recognised as, to change it. Keys that were not "
     "recognised are listed to be solved from their shapes, if none was"):
        "頭のシェイプキーを認識結果とともに一覧にして変更できるようにする。一つも認識されなければ、形状から求めるも"
        "のとして並べる",
    "List the selected mesh objects (teeth, tongue, eyes, lashes) as parts of this head. They will move with it":
        "選択したメッシュオブジェクト（歯、舌、目、まつ毛）をこの頭の部位として登録する。頭と一緒に動く",
    "List the sound strips, each with the head that speaks it. Heads that you have chosen stay":
        "サウンドストリップを、話す頭とともに一覧にする。選んだ頭はそのまま残る",
    "Listening": "音声を聞いています",
    "Live Link Face (.csv)": "Live Link Face (.csv)",
    "Load": "読み込み",
    "Loading the model": "モデルを読み込み中",
    "Loading the text encoder": "テキストエンコーダーを読み込み中",
    "Look with Edit Landmarks whether these are right: {lines}": "「ランドマークを編集」で次の位置を確認：{lines}",
    "Looking for the face": "顔を探しています",
    "Lower Teeth": "下の歯",
    "Lower teeth and gums: they move with the jaw": "下の歯と歯ぐき：顎と一緒に動く",
    "Making a Python environment": "Python 環境を作成中",
    "Mapping": "割り当て",
    "Mapping Name": "割り当ての名前",
    "Mix": "混合",
    "Mouth Opening over Waveform": "波形に口の開きを重ねる",
    ("Move the generated Action to an NLA track, and key on an Action of your own above it: its values are added. "
     "You can generate again and use all sliders without your keys being touched"):
        "生成されたアクションを NLA トラックに移し、その上の自分のアクションにキーを打つ（値は加算）。再生成しても"
        "スライダーを動かしても自分のキーには触れない",
    "Moves with the jaw and comes out": "顎と一緒に動き、前に出る",
    "Mute": "ミュート",
    "Name": "名前",
    "Neutral": "無表情",
    "Neutral, whatever the voice implies": "声の表情にかかわらず無表情",
    "No Camera in the Scene": "シーンにカメラがありません",
    "No generation is at work.": "生成は行われていません。",
    "No head is chosen for it: choose one in the list": "頭が選ばれていません。一覧で選んでください",
    "No installation is at work.": "インストールは行われていません。",
    "No landmarks were set by hand.": "手で置いたランドマークはありません。",
    "No line is ticked in the list: tick those to generate":
        "一覧でチェックされた行がありません。生成する行にチェックを付けてください",
    "No parts are listed.": "登録された部位はありません。",
    "No sound strip is selected in the sequencer: select some, or list all":
        "シーケンサーでサウンドストリップが選択されていません。選択するか、すべてを一覧にしてください",
    "No sound strip is selected in the sequencer: select some, or list all.":
        "シーケンサーでサウンドストリップが選択されていません。選択するか、すべてを一覧にしてください。",
    "Nothing in this line is known to come from emotion": "このセリフには感情によるものと分かる動きがない",
    "Nothing that was generated is active on the head: press Generate first.":
        "頭に生成されたものがアクティブになっていません。先に「生成」を押してください。",
    "Nothing that was generated is active on these shape keys: press Generate first":
        "このシェイプキーに生成されたものがアクティブになっていません。先に「生成」を押してください",
    "Object": "オブジェクト",
    "Objects that belong to this head": "この頭に属するオブジェクト",
    "Of the mesh at that time": "その時点のメッシュのもの",
    "Offline Wheels": "オフライン用 wheel",
    "One of the head's own shape keys": "頭が元から持つシェイプキーの一つ",
    "Only Current Range": "現在の範囲のみ",
    "Open Log": "ログを開く",
    "Open Preferences": "プリファレンスを開く",
    "Open the log in the program that your system has for text files": "システムのテキスト用プログラムでログを開く",
    "Own Landmarks": "手動のランドマーク",
    "Own Shape Keys": "元からのシェイプキー",
    "Part": "部位",
    "Parts": "部位",
    "Pick the sound strip to speak, or make it the active one in the sequencer":
        "話すサウンドストリップを選ぶか、シーケンサーでアクティブにしてください",
    "Play another take of the line. The animation may run meanwhile; your own keys and the sliders stay":
        "別のテイクを再生する。アニメーション再生中でもよい。自分のキーとスライダーはそのまま",
    ("Play the line with its sound, from its first frame on and again. Press once more, or Esc, to stop: preview "
     "range and synchronisation are then as they were before"):
        "セリフを音付きで最初のフレームから繰り返し再生する。もう一度押すか Esc で停止し、プレビュー範囲と同期の設"
        "定は元に戻る",
    "Playblast": "プレイブラスト",
    "Playblast: Close-Up": "プレイブラスト：クローズアップ",
    "Playblast: Scene Camera": "プレイブラスト：シーンカメラ",
    "Position": "位置",
    "Presses the lips together where they come near to each other. 0 is as it was predicted":
        "唇が近づく所で押し閉じる。0 で予測どおり",
    "Preview": "プレビュー",
    "Reading the direction": "指示を読み取り中",
    "Reading the sound": "音声を読み込み中",
    "Ready: {python}": "準備完了：{python}",
    "Recognise": "認識",
    "Recognised from shape and place": "形と位置から認識",
    "Remove Layer": "レイヤーを削除",
    "Remove Part": "部位を外す",
    "Remove Row": "行を削除",
    "Remove the row. The shape key itself stays": "行を削除する。シェイプキー自体は残る",
    ("Render the line to an .mp4 beside the .blend, fast and with sound. Nothing in the scene is changed, and no "
     "file is overwritten"):
        "セリフを .blend の隣に .mp4 として音付きで素早くレンダリングする。シーンは変更されず、ファイルも上書きされ"
        "ない",
    "Rendering the film": "動画をレンダリング中",
    ("Replace the animation inside the preview range, or without one between the scene's start and end, softly at "
     "both ends. The rest of the line stays as it is, and so do blinks, gaze and head motion"):
        "プレビュー範囲（なければシーンの開始から終了まで）のアニメーションだけを置き換え、両端を滑らかにつなぐ。他"
        "の部分と、まばたき・視線・頭の動きはそのまま",
    ("Replace the keys that you set by hand on the curves of this line by generated ones, and bring back curves "
     "of it that you deleted. Curves of your own stay"):
        "このセリフのカーブに手で打ったキーを生成されたキーで置き換え、削除したカーブも戻す。自分のカーブは残る",
    "Reset": "リセット",
    "Reset Landmarks": "ランドマークをリセット",
    "Right Eye": "右目",
    "Sad": "悲しみ",
    "Sad, whatever the voice implies": "声の表情にかかわらず悲しみ",
    "Same Head for Channel": "チャンネルに同じ頭",
    "Save": "保存",
    "Save the file first: the film is put beside it": "先にファイルを保存してください。動画はその隣に置かれます",
    "Save the file first: the film is put beside it.": "先にファイルを保存してください。動画はその隣に置かれます。",
    "Save the list for other heads with the same keys. They will be recognised by it from now on":
        "同じキーを持つ他の頭のために一覧を保存する。以後はこれで認識される",
    "Say which part of the face the selected vertices are, where it is not recognised by itself":
        "自動で認識されない場合に、選択した頂点が顔のどの部位かを指定する",
    "Seed": "シード",
    "Select other mesh objects that belong to the head: teeth, tongue, eyes, lashes.":
        "頭に属する他のメッシュオブジェクト（歯、舌、目、まつ毛）を選択してください。",
    "Select the head: a mesh object": "頭（メッシュオブジェクト）を選択してください",
    "Select the head: a mesh object.": "頭（メッシュオブジェクト）を選択してください。",
    "Select the vertices of the part first": "先に部位の頂点を選択してください",
    "Selected": "選択物",
    "Selected together with the head, so they go with it: {names}": "頭と一緒に選択されているので含めます：{names}",
    "Server Log": "サーバーのログ",
    "Set Part": "部位を指定",
    "Set Selected Vertices": "選択頂点の部位を指定",
    "Set by hand, and kept:": "手で打ったキー（保持）：",
    "Shape Key": "シェイプキー",
    "Share of each of these vertices": "各頂点の割合",
    ("Show the landmarks of the face on the mesh and drag them where they belong. Points that you move are "
     "binding for the animation, all others are found automatically. Mouth corners, nose tip and chin can save a "
     "hopeless case. Enter also says that the points in doubt, drawn red, are right where they are"):
        "顔のランドマークをメッシュ上に表示し、正しい位置へドラッグする。動かした点は必ず使われ、残りは自動で検出さ"
        "れる。両口角、鼻先、顎先の 4 点で難しい場合も救える。Enter は赤い疑わしい点をそのままの位置で認める",
    "Skin": "肌",
    "Smile": "微笑み",
    "Smoothing": "スムーズ",
    "Solving for the rig": "キーを求めています",
    "Something is being rendered: wait for it.": "レンダリング中です。お待ちください。",
    "Speech heard": "音声を聞き終えました",
    "Starting": "開始中",
    "Step Through Takes": "テイクを順に見る",
    "Still": "静止",
    "Stop": "停止",
    "Stop the generation. Lines that are done already are written, unless it is only one. Esc does the same":
        "生成を止める。終わった行は書き込まれる（1 行だけの場合を除く）。Esc でも同じ",
    "Stop the installation. What was installed earlier has to be installed again":
        "インストールを止める。以前のインストールもやり直しになる",
    "Strength": "強さ",
    "Strip": "ストリップ",
    "Strip Name": "ストリップ名",
    "Strips": "ストリップ",
    "Surprised": "驚き",
    "Surprised, whatever the voice implies": "声の表情にかかわらず驚き",
    "Take": "テイク",
    "Take the object off the list. It keeps its shape keys, and these go on following the head's":
        "オブジェクトを一覧から外す。シェイプキーは残り、頭のキーに従い続ける",
    "Take this layer off all lines of the head. What you animated yourself stays":
        "このレイヤーを頭の全セリフから外す。自分で付けたアニメーションは残る",
    "Takes": "テイク",
    "Talking Head": "話す頭",
    "Temperature": "温度",
    "The NLA of this head's shape keys is turned off, or in tweak mode: turn it on, and leave tweak mode":
        "この頭のシェイプキーの NLA がオフか調整モードです。オンにして調整モードを終了してください",
    "The NLA of this head's shape keys is turned off: turn it on, the animation plays through it":
        "この頭のシェイプキーの NLA がオフです。アニメーションは NLA で再生されるのでオンにしてください",
    "The Voice Implies": "声の表情",
    "The artist has looked at it and left it as it is": "確認のうえ、そのままにした点",
    "The artist should check it": "要確認",
    "The bone of the armature that nods: the head's": "うなずくアーマチュアのボーン（頭のボーン）",
    "The channel that the key follows. Left empty: the weight of the key is found from its shape, as for visemes":
        "キーが従うチャンネル。空欄なら、ビゼームのようにウェイトを形状から求める",
    "The end frame lies before the start frame: change one of them.":
        "終了フレームが開始フレームより前です。どちらかを変更してください。",
    "The eyeball on the character's left: it turns about its centre": "キャラクターの左の眼球。中心のまわりに回転する",
    "The eyeball on the character's right: it turns about its centre": "キャラクターの右の眼球。中心のまわりに回転する",
    "The face does not move in this line: pick a strip with clear speech":
        "このセリフでは顔が動きません。はっきりした発話のストリップを選んでください",
    "The head gets new keys, and its own of the same names are animated":
        "頭に新しいキーを作り、同名の既存キーも動かす",
    "The head has no keys of its own": "頭に元からのキーがない",
    "The head has no shape keys of its own.": "頭に元からのシェイプキーがありません。",
    "The head or its scene is gone or was renamed: press Generate Takes again":
        "頭またはシーンがなくなったか、名前が変わりました。もう一度「テイクを生成」を押してください",
    "The installation is at work.": "インストール中です。",
    "The list is empty.": "一覧が空です。",
    "The mesh that speaks this line": "この行を話すメッシュ",
    "The mesh to animate. Left empty: the active object": "動かすメッシュ。空欄ならアクティブオブジェクト",
    "The name of the strip's channel holds that of the head": "ストリップのチャンネル名に頭の名前が含まれる",
    "The points that were set by hand": "手で置いた点",
    "The scene is gone or was renamed: try again": "シーンがなくなったか、名前が変わりました。もう一度試してください",
    "The scene or its frame rate was changed while the animation was made: press Generate again":
        "生成中にシーンまたはフレームレートが変わりました。もう一度「生成」を押してください",
    "The selected sound strips": "選択したサウンドストリップ",
    "The server is at work: wait for it, or cancel it.": "サーバーが動作中です。待つか、キャンセルしてください。",
    "The server's packages are not installed yet.": "サーバーのパッケージがまだインストールされていません。",
    "The sound strip to speak": "話すサウンドストリップ",
    "The sound strip to speak. Left empty: the active one of the sequencer":
        "話すサウンドストリップ。空欄ならシーケンサーのアクティブなもの",
    "The strip's name holds that of the head: Anna_03 is spoken by Anna":
        "ストリップ名に頭の名前が含まれる：Anna_03 は Anna が話す",
    "There is no Python here, choose another one: {python}":
        "ここに Python がありません。別のものを選んでください：{python}",
    "There is no log yet.": "ログはまだありません。",
    "There is no window to play it in.": "再生するウィンドウがありません。",
    "They are listed already": "すでに登録されています",
    "This file has no name yet: save it first": "ファイルにまだ名前がありません。先に保存してください",
    "This head has no such layer.": "この頭にそのレイヤーはありません。",
    "This line has no takes: press Generate Takes.":
        "このセリフにはテイクがありません。「テイクを生成」を押してください。",
    "Time Offset": "時間のずれ",
    "Timing the frames": "フレームに合わせています",
    "Tongue": "舌",
    "Transition": "移り変わり",
    "Trying the packages": "パッケージを確認中",
    "Tweak": "調整",
    "Upper Teeth": "上の歯",
    "Upper teeth and gums: they stay with the skull": "上の歯と歯ぐき：頭蓋に固定",
    "Use This Python Instead": "代わりに使う Python",
    "Value of the key at the channel's value 1. Not used where the weight is found from the shape":
        "チャンネルの値が 1 のときのキーの値。ウェイトを形状から求める場合は使わない",
    "Variation": "ばらつき",
    "Vertices": "頂点",
    "Vertices of the triangle that it lies on": "点がのっている三角形の頂点",
    "Waiting for Object Mode": "オブジェクトモードを待っています",
    "Waiting until you leave the NLA's tweak mode": "NLA の調整モードの終了を待っています",
    "Waiting until you let go, or the render ends": "操作またはレンダリングの終了を待っています",
    "Watch": "再生確認",
    "Weights": "ウェイト",
    "What happens with the shape keys that the head has already": "頭が元から持つシェイプキーの扱い",
    ("What nods with the voice: the armature, or an object. A constraint adds the motion to your own pose. Left "
     "empty: nothing nods"):
        "声に合わせてうなずくもの：アーマチュアまたはオブジェクト。コンストレイントで自分のポーズに動きを加える。空"
        "欄なら何も動かない",
    "What the face expresses. Key it to change it along the timeline":
        "顔の表す感情。キーを打てばタイムラインに沿って変わる",
    "What the mapping was recognised or saved as": "割り当ての認識名または保存名",
    "What the voice implies": "声の表情に従う",
    "What this object is": "このオブジェクトの種類",
    "Where it was on the base shape when it was set": "置いたときの基本形状上の位置",
    "Where the points of the face were found": "顔の点が検出された位置",
    "Which own key follows which channel": "どのキーがどのチャンネルに従うか",
    "Which sound strips are listed": "一覧にするサウンドストリップ",
    "Who speaks which strip": "誰がどのストリップを話すか",
    "Write first how the line is to be said.": "先にセリフの言い方を書いてください。",
    "Write the values of the head's shape keys to a file, as they play: Actions, NLA and drivers together":
        "頭のシェイプキーの値を再生されるとおりファイルに書き出す（アクション、NLA、ドライバーの合計）",
    "You have set no keys by hand on the generated curves.": "生成されたカーブに手で打ったキーはありません。",
    "Writing": "書き込んでいます",
    "Your own Action is active already, above what was generated": "自分のアクションはすでに生成物の上でアクティブです",
    "Your own Action is active already, above what was generated.":
        "自分のアクションはすでに生成物の上でアクティブです。",
    "and on {count} more curves": "ほか {count} 本のカーブ",
    "from its shape": "形状から",
    "{count} takes": "テイク {count} 個",
    "{count} takes of {strip}, {seconds} s": "{strip} のテイク {count} 個、{seconds} 秒",
    "{name}: {count} vertices set by hand": "{name}：手で指定した頂点 {count} 個",
    "{own} landmarks set by hand": "手動のランドマーク {own} 個",
    "{take} of {count}, seed {seed}": "{take} / {count}、シード {seed}",
}
