"""Names of products in many languages, and the code pages that each language is written in.

None of them is among the words that letters.txt is made from: no pair is tested on the words it was counted in.
"""

WORDS = {
    "polish": (
        "łóżko dziecięce;Lampa stołowa;Drewniane krzesło;ręcznik bawełniany;półka na książki;"
        "zasłona łazienkowa;kieliszek do śledzi;świeca zapachowa;żelazko parowe;nóż kuchenny;pościel lniana;"
        "wąż ogrodowy;gąbka;pędzel;mały dzbanek;koń na biegunach;słoik z pokrywką;ściereczka;rękawice zimowe;"
        "źródło światła;buty męskie;spódnica dżinsowa;kołdra puchowa;ćwiczenia"
    ),
    "czech": (
        "dřevěná židle;kuřecí miska;hrníček na čaj;noční stolek;žlutý svícen;bavlněný ručník;nůž na chléb;"
        "lžíce;dětská postýlka;závěs do koupelny;skříň;květináč;polštář;přikrývka;šálek s podšálkem;"
        "stříbrný řetízek;pánské tričko;dámské šaty;věšák;ubrus lněný;svíčka;zahradní hadice;tužka;"
        "koš na prádlo"
    ),
    "hungarian": (
        "bögre;fűszertartó;konyhai kés;ágytakaró;törölköző;függöny;lámpaernyő;női cipő;férfi ing;kerti szék;"
        "gyűrű;üveg pohár;fából készült asztal;sütőforma;zöld növény;gyermekjáték;kötött sapka;bőr öv;tükör;"
        "díszpárna;szőnyeg;edényfogó;teáskanna;könyvespolc"
    ),
    "romanian": (
        "cană roșie;față de masă;scaun pliabil;mătură;pernă decorativă;încălțăminte;lumânare;"
        "cuțit de bucătărie;rochie de vară;geantă din piele;covor țesut;oglindă;cămașă bărbătească;păpușă;"
        "jucării;sticlă de apă;raft pentru cărți;fustă;cercei;brățară;pătură;umbrelă;ceașcă;vază"
    ),
    "croatian": (
        "šalica za čaj;žlica;drvena polica;noćna svjetiljka;ručnik;dječja igračka;kožna torbica;"
        "muška košulja;ženske čizme;viseća stolica;svijeća;kuhinjski nož;jastučnica;ogrtač;zavjesa;čarape;"
        "vrećica;držač;naušnice;pokrivač;češalj;šešir;rukavice od kože;četkica"
    ),
    "slovenian": (
        "skodelica;lesena miza;žlička;brisača;otroška igrača;usnjena torbica;moška srajca;ženski čevlji;"
        "sveča;blazina;vrtni stol;ogrlica;zavesa za kopalnico;šal;košara;kuhinjski nož;čajnik;rjuha;skleda;"
        "preproga;svečnik;uhani;ščetka;škatla"
    ),
    "turkish": (
        "kırmızı kupa;çay bardağı;ahşap sandalye;yatak örtüsü;gümüş yüzük;mutfak bıçağı;erkek gömleği;"
        "kadın ayakkabısı;çocuk oyuncağı;bahçe masası;şişe;gözlük;ışık;İpek eşarp;yastık kılıfı;"
        "banyo havlusu;deri çanta;kolye;küpe;tencere takımı;süpürge;çiçek vazosu;şemsiye;halı"
    ),
    "french": (
        "crème brûlée;théière émaillée;chaise pliée;étagère;lampe à poser;rideau brodé;"
        "couteau de cuisine forgé;pièce détachée;bougie parfumée;collier doré;chaussure légère;garçon;"
        "fenêtre;clé à molette;boîte à goûter;pâtisserie;poêle;hôtel;maïs;œuf en chocolat;tasse à café;"
        "écharpe tricotée;cuillère;forêt"
    ),
    "german": (
        "Kaffeebecher weiß;Küchenmesser;Bettwäsche;Stühle;Schlüsselanhänger;Gürtel;Handtücher;Blumentöpfe;"
        "Teekännchen;Kerzenständer;Müslischale;Büroklammern;Süßigkeiten;Größe;Gießkanne;Schöpflöffel;Öllampe;"
        "Übertopf;Fußmatte;Schüssel;Körbchen;Mütze;Bürste;Hängematte"
    ),
    "spanish": (
        "lámpara de mesa;cojín bordado;cuchillo jamón;sillón;niño;teléfono;muñeca;pañuelo;cinturón;"
        "sábana de algodón;jabón;baúl;jardín;botellín;tazón;mantel pequeño;música;colección otoño;pantalón;"
        "cortauñas;bañera;ratón;corazón;té"
    ),
    "portuguese": (
        "xícara de café;almofada;cadeira dobrável;cartão;calções;pão;saia de verão;sabão;lâmpada;fogão;bebê;"
        "coração;relógio;avó;chapéu;cobertor de algodão;botão;maçã;colchão;porta-lápis;óculos;calça;camisão;"
        "torradeira elétrica"
    ),
    "italian": (
        "caffè;tazzina da tè;città;perché;lampada più luce;qualità;comò;sofà;papà;felicità;novità;ragù;bebè;"
        "canapé;tiramisù;età;velocità;metà prezzo;libertà;università;già;più;menù;bontà"
    ),
    "swedish": (
        "kaffekopp blå;trästol;ljusstake;köksknivar;skärbräda;överkast;kuddfodral grön;handdukar små;"
        "barnskor;tröja;mössa;bokhylla björk;trädgårdsbord;nål;påslakan;örhängen;hårborste;tallrik vå;"
        "gräsklippare;matlåda;fönster;väska;rödvinsglas;ugnsform"
    ),
    "danish": (
        "kaffekrus blå;køkkenkniv;træstol;sengetøj;håndklæde;tæppe;sølvring;børnesko;brødkasse;ørering;"
        "havemøbler;grøn pude;skærebræt;lysestage;strømper;tøjstativ;rødvinsglas;ostehøvl;hængelampe;"
        "gulvmåtte;kødhammer;bælte;vækkeur;dørmåtte"
    ),
    "norwegian": (
        "kaffekopp blå;kjøkkenkniv;trestol;sengetøy;håndkle;teppe;sølvring;barnesko;brødboks;øredobb;"
        "hagemøbler;grønn pute;skjærefjøl;lysestake;strømper;klesstativ;rødvinsglass;ostehøvel;hengelampe;"
        "gulvmatte;kjøttøks;belte;vekkerklokke;dørmatte"
    ),
    "finnish": (
        "kahvikuppi;pöytäliina;keittiöveitsi;tyyny;pyyhe sininen;kynttilänjalka;lämmin peitto;lasten kengät;"
        "käsilaukku;sängynpeite;hylly;leikkuulauta mänty;hopeasormus;villapipo;työtuoli;säilytyslaatikko;"
        "ämpäri;kylpytakki;vesipullo mehiläinen;kattovalaisin;näyttö;sähköjohto;öljylamppu;jäälyhty"
    ),
    "icelandic": (
        "kaffibolli;eldhúshnífur;sængurver;handklæði;stóll;borð;peysa;húfa;skór;þvottakarfa;ljósastjaki;"
        "teppi grænt;púði;barnaföt;eyrnalokkar;hringur úr silfri;vatnsflaska;brauðkassi;glerskál;hilla;"
        "gólfmotta;rúmföt;bók;þráður"
    ),
    "estonian": (
        "kohvikruus;köögikäsi;küünlajalg;rätik;tool;lühter;mänguasi;öökapp;jalgratas;käekott;sõrmus;"
        "kõrvarõngad;pesukorv;põrandalamp;müts;laste jalanõud;voodipesu;padjapüür;klaasist kauss;"
        "raamaturiiul;söögilaud;vihmavari;hõbekett;šokolaad"
    ),
    "latvian": (
        "kafijas krūze;virtuves nazis;dvielis;krēsls;grāmatu plaukts;bērnu rotaļlieta;ādas soma;"
        "sveču turētājs;gultas veļa;spilvendrāna;kurpes sievietēm;vīriešu krekls;gredzens sudraba;auskari;"
        "tējkanna;galdauts;paklājs;cepure;dārza krēsls;šķīvis;pudele ūdenim;zeķes;ziepes;lietussargs"
    ),
    "lithuanian": (
        "kavos puodelis;virtuvinis peilis;rankšluostis;kėdė;knygų lentyna;vaikiškas žaislas;odinė rankinė;"
        "žvakidė;patalynė;pagalvės užvalkalas;moteriški batai;vyriški marškiniai;sidabrinis žiedas;auskarai;"
        "arbatinukas;staltiesė;kilimas;kepurė;sodo kėdė;lėkštė;gertuvė;kojinės;šukos;skėtis"
    ),
    "vietnamese": (
        "cốc cà phê;dao nhà bếp;khăn tắm;ghế gỗ;kệ sách;đồ chơi trẻ em;túi xách da;chân nến;ga trải giường;"
        "vỏ gối;giày nữ;áo sơ mi nam;nhẫn bạc;bông tai;ấm trà;khăn trải bàn;thảm;mũ len;bàn ghế sân vườn;"
        "đĩa sứ;bình nước;tất;xà phòng;ô che mưa"
    ),
    "russian": (
        "Красная кружка;кухонный нож;полотенце;стул деревянный;книжная полка;детская игрушка;кожаная сумка;"
        "подсвечник;постельное бельё;наволочка;женские туфли;мужская рубашка;кольцо серебряное;серьги;чайник;"
        "скатерть;ковёр;шапка;садовый стол;тарелка;бутылка для воды;носки;мыло;зонт"
    ),
    "ukrainian": (
        "Червона чашка;кухонний ніж;рушник;стілець дерев'яний;книжкова полиця;дитяча іграшка;шкіряна сумка;"
        "свічник;постільна білизна;наволочка;жіночі туфлі;чоловіча сорочка;каблучка срібна;сережки;чайник;"
        "скатертина;килим;шапка;садовий стіл;тарілка;пляшка для води;шкарпетки;мило;парасолька"
    ),
    "bulgarian": (
        "Червена чаша;кухненски нож;кърпа;дървен стол;рафт за книги;детска играчка;кожена чанта;свещник;"
        "спално бельо;калъфка;дамски обувки;мъжка риза;сребърен пръстен;обеци;чайник;покривка за маса;килим;"
        "шапка;градинска маса;чиния;бутилка за вода;чорапи;сапун;чадър"
    ),
    "serbian": (
        "Црвена шоља;кухињски нож;пешкир;дрвена столица;полица за књиге;дечја играчка;кожна торба;свећњак;"
        "постељина;јастучница;женске ципеле;мушка кошуља;сребрни прстен;минђуше;чајник;столњак;тепих;капа;"
        "баштенски сто;тањир;флаша за воду;чарапе;сапун;кишобран"
    ),
    "greek": (
        "Κόκκινη κούπα;μαχαίρι κουζίνας;πετσέτα;ξύλινη καρέκλα;ράφι βιβλίων;παιδικό παιχνίδι;"
        "δερμάτινη τσάντα;κηροπήγιο;σεντόνια;μαξιλαροθήκη;γυναικεία παπούτσια;ανδρικό πουκάμισο;"
        "ασημένιο δαχτυλίδι;σκουλαρίκια;τσαγιέρα;τραπεζομάντιλο;χαλί;καπέλο;τραπέζι κήπου;πιάτο;"
        "μπουκάλι νερού;κάλτσες;σαπούνι;ομπρέλα"
    ),
    "hebrew": (
        "ספל אדום גדול;סכין מטבח;מגבת;כיסא עץ;מדף ספרים;צעצוע לילדים;תיק עור;פמוט;מצעים;ציפית;נעלי נשים;"
        "חולצת גברים;טבעת כסף;עגילים;קומקום;מפת שולחן;שטיח;כובע;שולחן גינה;צלחת;בקבוק מים;גרביים;סבון;מטריה"
    ),
    "arabic": (
        "كوب أحمر;سكين مطبخ;منشفة;كرسي خشبي;رف كتب;لعبة أطفال;حقيبة جلدية;شمعدان;مفارش سرير;غطاء وسادة;"
        "حذاء نسائي;قميص رجالي;خاتم فضة;أقراط;إبريق شاي;مفرش طاولة;سجادة;قبعة;طاولة حديقة;صحن;زجاجة ماء;"
        "جوارب;صابون;مظلة"
    ),
    "persian": (
        "لیوان قرمز;چاقوی آشپزخانه;حوله;صندلی چوبی;قفسه کتاب;اسباب بازی;کیف چرمی;شمعدان;ملحفه;روبالشی;"
        "کفش زنانه;پیراهن مردانه;انگشتر نقره;گوشواره;قوری;رومیزی;فرش;کلاه;میز باغ;بشقاب;بطری آب;جوراب;صابون;"
        "چتر"
    ),
    "thai": (
        "แก้วกาแฟสีแดง;มีดทำครัว;ผ้าขนหนู;เก้าอี้ไม้;ชั้นวางหนังสือ;ของเล่นเด็ก;กระเป๋าหนัง;เชิงเทียน;"
        "ผ้าปูที่นอน;ปลอกหมอน;รองเท้าผู้หญิง;เสื้อเชิ้ตผู้ชาย;แหวนเงิน;ต่างหู;กาน้ำชา;ผ้าปูโต๊ะ;พรม;หมวก;"
        "โต๊ะสวน;จาน;ขวดน้ำ;ถุงเท้า;สบู่;ร่ม"
    ),
    "japanese": (
        "赤いマグカップ;包丁;タオル;木製の椅子;本棚;子供のおもちゃ;革のバッグ;キャンドルスタンド;シーツ;枕カバー;婦人靴;紳士用シャツ;銀の指輪;イヤリング;急須;テーブルクロス;絨毯;帽子;"
        "ガーデンテーブル;お皿;水筒;靴下;石鹸;傘"
    ),
    "chinese": (
        "红色马克杯;厨房刀具;毛巾;木椅;书架;儿童玩具;皮包;烛台;床单;枕套;女鞋;男士衬衫;银戒指;耳环;茶壶;桌布;地毯;帽子;花园桌;盘子;水瓶;袜子;肥皂;雨伞"
    ),
    "taiwanese": (
        "紅色馬克杯;廚房刀具;毛巾;木椅;書架;兒童玩具;皮包;燭台;床單;枕頭套;女鞋;男士襯衫;銀戒指;耳環;茶壺;桌布;地毯;帽子;花園桌;盤子;水瓶;襪子;肥皂;雨傘"
    ),
    "korean": (
        "빨간 머그컵;주방 칼;수건;나무 의자;책꽂이;어린이 장난감;가죽 가방;촛대;침대 시트;베개 커버;여성 구두;남성 셔츠;은반지;귀걸이;찻주전자;식탁보;카펫;모자;정원 테이블;접시;"
        "물병;양말;비누;우산"
    ),
    "english": (
        "Café mug;jalapeño grinder;crêpe pan 12½ cm;Lego® set;men’s hat;naïve print;fondue “Classic”;piñata;"
        "décor;sauté pan;purée sieve;£5 mug;Über bag;rosé glass;Thermos™ flask;20°C bath;façade;brûlée torch;"
        "soufflé dish;éclair mould;risqué book;Señor hat;fiancée ring;papier-mâché"
    ),
}
# The code page: its languages. The contract names those of the first table.
PAGES = {
    "cp1250": "polish czech hungarian romanian croatian slovenian german",
    "cp1251": "russian ukrainian bulgarian serbian",
    "cp1252": "french german spanish portuguese italian swedish danish norwegian finnish icelandic english",
    "cp1253": "greek",
    "cp1254": "turkish german french",
    "cp1255": "hebrew",
    "cp1256": "arabic persian french",
    "cp1257": "estonian latvian lithuanian",
    "cp1258": "vietnamese",
    "cp874": "thai",
    "mac_roman": "french german spanish portuguese italian swedish danish norwegian english",
    "cp437": "french german spanish swedish finnish",
    "cp850": "french german spanish portuguese italian swedish danish norwegian icelandic",
    "koi8_r": "russian bulgarian",
    "cp932": "japanese",
    "euc_jp": "japanese",
    "gb18030": "chinese",
    "cp950": "taiwanese",
    "cp949": "korean",
}
MORE_PAGES = {
    "koi8_u": "ukrainian",
    "iso8859_2": "polish czech hungarian romanian croatian slovenian",
    "iso8859_5": "russian bulgarian serbian ukrainian",
    "iso8859_7": "greek",
    "iso8859_8": "hebrew",
    "iso8859_9": "turkish",
    "iso8859_13": "latvian lithuanian",
    "iso8859_15": "french finnish estonian",
    "iso8859_6": "arabic",
    "cp852": "polish czech hungarian romanian croatian slovenian",
    "cp866": "russian bulgarian",
    "mac_cyrillic": "russian ukrainian bulgarian",
    "mac_latin2": "polish czech hungarian",
    "cp862": "hebrew",
    "cp857": "turkish",
    "cp775": "lithuanian latvian estonian",
    "cp737": "greek",
}
